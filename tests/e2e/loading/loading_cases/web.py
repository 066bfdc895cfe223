"""Crews inside web apps and task queues."""

from loading_cases.case import CREW, MADE, Case, body

# What FastAPI, Flask and Celery do with a function, without any of them installed.
APP = """
class App:
    def __init__(self):
        self.state, self.routes = {}, {}
    def post(self, path):
        def keep(function):
            self.routes[path] = function
            return function
        return keep
app = App()
"""
TASKS = """
class Task_:
    def __init__(self, run):
        self.run, self.__wrapped__ = run, run
    def __call__(self, *args, **kwargs):
        return self.run(*args, **kwargs)
def shared_task(function):
    return Task_(function)
"""
STARLETTE = f"""
from starlette.applications import Starlette
from starlette.routing import Route
{CREW}
async def ask(request):
    return await {MADE}.kickoff_async()

app = Starlette(routes=[Route("/", ask)])
"""
KICKS_OFF = f"    {body()}\n    return {MADE}.kickoff({{'topic': topic}})\n"
INSIDE = f"{APP}\n@app.post('/jobs')\ndef run_job(topic: str):\n{KICKS_OFF}"
TASK = f"{TASKS}\n@shared_task\ndef research(topic):\n{KICKS_OFF}"

SERVES = (
    "import http.server as web\n{}web.HTTPServer(('127.0.0.1', 8099), web.SimpleHTTPRequestHandler).serve_forever()\n"
)
UVICORN = "\nif __name__ == '__main__':\n    import uvicorn\n    uvicorn.run(app, port=8099)\n"

CASES = [
    Case(
        "serves at import",
        {"app.py": SERVES.format("") + CREW},
        "app.py",
        kind="serves",
        exit=3,
        sentence="it starts a server on 127.0.0.1:8099 while it is loaded (app.py:2)",
        way_out="__main__",
    ),
    Case(
        "serves under __main__",
        {"app.py": INSIDE + "if __name__ == '__main__':\n    " + SERVES.format("    ")},
        "app.py",
        kind="built_inside",
        exit=2,
        sentence="it is built inside `run_job` (app.py:13, @app.post)",
        way_out="app.py:run_job",
    ),
    Case(
        "two crews, uvicorn under __main__",
        {"app.py": f"{STARLETTE}\none = {MADE}\ntwo = {MADE}\n{UVICORN}"},
        "app.py",
        kind="several_crews",
        exit=2,
        sentence="app.py has 2 crews: `one`, `two`",
    ),
    Case("app with a crew beside it", {"app.py": f"{APP}{CREW}\ncrew = {MADE}"}, "app.py", shape="module"),
    Case(
        "app that keeps it in its state",
        {"app.py": f"{APP}{CREW}\napp.state['crew'] = {MADE}"},
        "app.py",
        shape="constructed",
    ),
    Case(
        "app that keeps two",
        {"app.py": f"{APP}{CREW}\napp.state['a'] = {MADE}\napp.state['b'] = {MADE}"},
        "app.py",
        kind="several_crews",
        exit=2,
        sentence="app.py builds 2 crews, none under a name of the module: app.py:17, app.py:18",
    ),
    Case(
        "built inside a request",
        {"app.py": INSIDE},
        "app.py",
        kind="built_inside",
        exit=2,
        sentence="it is built inside `run_job` (app.py:13, @app.post)",
        way_out="name the function, and it is called up to its kickoff: app.py:run_job",
    ),
    Case(
        "the request's function, named",
        {"app.py": INSIDE},
        "app.py:run_job",
        inputs={"topic": "AI"},
        shape="kickoff captured",
        given={"topic": "AI"},
    ),
    Case(
        "built inside a task",
        {"tasks.py": TASK},
        "tasks.py",
        kind="built_inside",
        exit=2,
        sentence="it is built inside `research` (tasks.py:11, @shared_task)",
        way_out="tasks.py:research",
    ),
    Case(
        "the task, named",
        {"tasks.py": TASK},
        "tasks.py:research",
        inputs={"topic": "AI"},
        shape="kickoff captured",
        given={"topic": "AI"},
    ),
    Case(
        "built inside an endpoint of Starlette",
        {"app.py": STARLETTE},
        "app.py",
        kind="built_inside",
        exit=2,
        sentence="it is built inside `ask` (app.py:10)",
        way_out="app.py:ask",
    ),
    Case(
        "that endpoint, named",
        {"app.py": STARLETTE},
        "app.py:ask",
        kind="missing_argument",
        exit=2,
        sentence="`ask` needs an argument: request (app.py:10)",
        way_out="without parameters",
    ),
    Case(
        "app made by a factory",
        {
            "app.py": f"{APP}\ndef create_app():\n    made = App()\n    @made.post('/')\n    def go():\n"
            f"        {body(by='        ')}\n        return {MADE}.kickoff()\n    return made"
        },
        "app.py",
        kind="built_inside",
        exit=2,
        sentence="it is built inside `go` (app.py:15, @made.post)",
    ),
]
