"""Calls that can wait, by client library: what bounds them, and what does when nothing is written.

Sources: the libraries' own documentation and signatures (requests 2.34, httpx 0.28, aiohttp 3.14, CPython 3.11,
openai 2.54, boto3 1.43, redis-py, psycopg, PyMySQL, pymongo, confluent-kafka). A default is what ends a wait for bytes,
not a connect.
"""

from __future__ import annotations

from dataclasses import dataclass

from crewdoctor.model.setting import UNKNOWN, UNLIMITED, Seconds, Timeout

_HTTP = frozenset({"get", "post", "put", "patch", "delete", "head", "options", "request", "send", "stream"})
_ANY: frozenset[str] = frozenset()
GLOBAL = "global"
"""`socket.getdefaulttimeout()` where the program runs: no limit unless somebody called `socket.setdefaulttimeout`."""


@dataclass(frozen=True, slots=True)
class Client:
    """One row: functions that wait, and constructors whose objects have methods that wait."""

    name: str
    default: Timeout | str
    """Without a word from the user; GLOBAL: the process's socket default."""
    functions: frozenset[str] = frozenset()
    """Dotted names as imported: `requests.get`."""
    constructors: frozenset[str] = frozenset()
    """Dotted names of classes and factories."""
    methods: frozenset[str] = _ANY
    """Methods of their objects that wait; none named: every method does."""
    keywords: tuple[str, ...] = ("timeout",)
    """Keywords that bound the wait for an answer, in constructors and calls."""
    method_keywords: bool = True
    """Whether the methods take those keywords as well."""
    position: int | None = None
    """Index of the timeout among a function's or method's positional arguments."""
    constructor_position: int | None = None
    none: Timeout | None = UNLIMITED
    """What an explicit None means in a call; None: the default."""
    scale: float = 1.0
    """Seconds per unit."""
    url: int | None = None
    """Index of the URL, host or DSN among positional arguments of functions."""
    url_keywords: tuple[str, ...] = ("url", "base_url", "host", "hostname", "dsn", "uri")
    constructor_waits: bool = False
    """The constructor itself connects."""
    network: bool = True


def _names(prefixes: str, names: str) -> frozenset[str]:
    return frozenset(f"{prefix}.{name}" for prefix in prefixes.split() for name in names.split())


_VERBS = "get post put patch delete head options request"

CLIENTS: tuple[Client, ...] = (
    Client(
        "requests",
        UNLIMITED,
        functions=_names("requests requests.api", _VERBS),
        constructors=frozenset({"requests.Session", "requests.session", "requests.sessions.Session"}),
        methods=_HTTP,
        url=0,
    ),
    Client(
        "httpx",
        Seconds(5.0),
        functions=_names("httpx httpx2", f"{_VERBS} stream"),
        constructors=_names("httpx httpx2", "Client AsyncClient"),
        methods=_HTTP,
        url=0,
    ),
    Client(
        "aiohttp",
        Seconds(300.0),
        functions=frozenset({"aiohttp.request"}),
        constructors=frozenset({"aiohttp.ClientSession", "aiohttp.client.ClientSession"}),
        methods=_HTTP | {"ws_connect"},
        url=0,
    ),
    Client(
        "urllib",
        GLOBAL,
        functions=frozenset({"urllib.request.urlopen", "urllib.request.urlretrieve"}),
        constructors=frozenset({"urllib.request.build_opener"}),
        methods=frozenset({"open"}),
        position=2,
        url=0,
    ),
    Client(
        "urllib3",
        GLOBAL,
        functions=frozenset({"urllib3.request"}),
        constructors=_names("urllib3", "PoolManager ProxyManager HTTPConnectionPool HTTPSConnectionPool"),
        methods=frozenset({"request", "urlopen"}),
        url=1,
    ),
    Client(
        "http.client",
        GLOBAL,
        constructors=_names("http.client", "HTTPConnection HTTPSConnection"),
        methods=frozenset({"request", "getresponse", "connect", "send"}),
        constructor_position=2,
        method_keywords=False,
    ),
    Client(
        "socket",
        GLOBAL,
        functions=frozenset({"socket.create_connection"}),
        constructors=frozenset({"socket.socket", "socket.create_connection"}),
        methods=frozenset({"connect", "recv", "recv_into", "recvfrom", "accept", "sendall", "send"}),
        position=1,
        constructor_position=1,
        method_keywords=False,
        url=0,
    ),
    Client(
        "smtplib",
        GLOBAL,
        constructors=_names("smtplib", "SMTP SMTP_SSL"),
        constructor_position=3,
        method_keywords=False,
        constructor_waits=True,
    ),
    Client("ftplib", GLOBAL, constructors=_names("ftplib", "FTP FTP_TLS"), method_keywords=False),
    Client("imaplib", GLOBAL, constructors=_names("imaplib", "IMAP4 IMAP4_SSL"), constructor_waits=True),
    Client("poplib", GLOBAL, constructors=_names("poplib", "POP3 POP3_SSL"), constructor_waits=True),
    Client("xmlrpc", GLOBAL, constructors=frozenset({"xmlrpc.client.ServerProxy"}), method_keywords=False),
    Client(
        "subprocess",
        UNLIMITED,
        functions=_names("subprocess", "run call check_call check_output getoutput getstatusoutput")
        | _names("os", "system popen"),
        constructors=frozenset({"subprocess.Popen"}),
        methods=frozenset({"wait", "communicate"}),
        network=False,
    ),
    Client(
        "sqlite3",
        Seconds(5.0),
        constructors=frozenset({"sqlite3.connect"}),
        methods=frozenset({"execute", "executemany", "executescript", "commit"}),
        constructor_position=1,
        method_keywords=False,
        url_keywords=(),
        network=False,
    ),
    Client(
        "psycopg",
        UNLIMITED,
        functions=_names("psycopg psycopg2", "connect"),
        constructors=_names("psycopg psycopg2", "connect")
        | _names("psycopg", "Connection.connect AsyncConnection.connect"),
        methods=frozenset({"execute", "executemany", "commit", "fetchone", "fetchall", "fetchmany"}),
        keywords=(),
        url=0,
    ),
    Client(
        "sqlite3",
        Seconds(5.0),
        constructors=frozenset({"sqlite3.connect"}),
        methods=frozenset({"execute", "executemany", "executescript", "commit"}),
        method_keywords=False,
        constructor_position=1,
        network=False,
    ),
    Client(
        "pymysql",
        UNLIMITED,
        functions=frozenset({"pymysql.connect"}),
        constructors=frozenset({"pymysql.connect"}),
        methods=frozenset({"query", "commit", "ping"}),
        keywords=("read_timeout",),
        method_keywords=False,
    ),
    Client(
        "redis",
        UNLIMITED,
        constructors=_names("redis redis.asyncio", "Redis StrictRedis from_url Redis.from_url"),
        keywords=("socket_timeout",),
        method_keywords=False,
    ),
    Client(
        "pymongo",
        UNLIMITED,
        constructors=_names("pymongo", "MongoClient AsyncMongoClient"),
        keywords=("socketTimeoutMS", "timeoutMS"),
        method_keywords=False,
        scale=0.001,
    ),
    Client(
        "kafka",
        UNLIMITED,
        constructors=_names("confluent_kafka", "Consumer Producer DeserializingConsumer SerializingProducer"),
        methods=frozenset({"poll", "flush"}),
        position=0,
    ),
    Client(
        "sqlalchemy",
        UNKNOWN,
        constructors=frozenset({"sqlalchemy.create_engine", "sqlalchemy.engine.create_engine"}),
        methods=frozenset({"connect", "begin", "execute"}),
        keywords=(),
    ),
    Client(
        "boto3",
        Seconds(60.0),
        constructors=_names("boto3 boto3.session.Session boto3.Session", "client resource"),
        keywords=("config",),
        method_keywords=False,
    ),
    Client(
        "openai",
        Seconds(600.0),
        constructors=_names("openai", "OpenAI AsyncOpenAI AzureOpenAI AsyncAzureOpenAI"),
    ),
    Client("anthropic", Seconds(600.0), constructors=_names("anthropic", "Anthropic AsyncAnthropic")),
    Client("elasticsearch", Seconds(10.0), constructors=_names("elasticsearch", "Elasticsearch AsyncElasticsearch")),
    Client("paramiko", UNLIMITED, constructors=frozenset({"paramiko.SSHClient"}), methods=frozenset({"connect"})),
    Client(
        "queue",
        UNLIMITED,
        constructors=_names("queue multiprocessing", "Queue LifoQueue PriorityQueue SimpleQueue JoinableQueue"),
        methods=frozenset({"get"}),
        position=1,
        network=False,
    ),
    Client(
        "threading",
        UNLIMITED,
        constructors=_names("threading multiprocessing", "Event Condition Thread Process"),
        methods=frozenset({"wait", "join"}),
        position=0,
        network=False,
    ),
    Client(
        "future",
        UNLIMITED,
        constructors=frozenset({"*.submit", "asyncio.run_coroutine_threadsafe"}),
        methods=frozenset({"result"}),
        position=0,
        network=False,
    ),
)

_BY_FUNCTION = {name: client for client in CLIENTS for name in client.functions}
_BY_CONSTRUCTOR = {name: client for client in CLIENTS for name in client.constructors}

MODULES = frozenset(name.split(".", 1)[0] for name in (*_BY_FUNCTION, *_BY_CONSTRUCTOR)) - {"*"}
"""Top-level modules of any row: an object whose class comes from one of them is worth a look."""


def by_function(name: str) -> Client | None:
    """Return the row of a function called by its full dotted name."""
    return _BY_FUNCTION.get(name)


def by_constructor(name: str) -> Client | None:
    """Return the row of a class or factory; `pool.submit` is one for any pool."""
    found = _BY_CONSTRUCTOR.get(name)
    if found is None and name.endswith(".submit"):
        return _BY_CONSTRUCTOR["*.submit"]
    return found


def by_name(name: str) -> Client | None:
    """Return the row called `name`."""
    return next((client for client in CLIENTS if client.name == name), None)
