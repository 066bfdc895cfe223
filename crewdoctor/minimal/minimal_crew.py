"""The smallest crew there is, on the model the environment names: what is diagnosed where there is no crew."""

from crewai import Agent, Crew, Task

agent = Agent(role="Tester", goal="Answer in one word", backstory="You answer in one word.")
task = Task(description="Return 'ok'.", expected_output="ok", agent=agent)
crew = Crew(agents=[agent], tasks=[task], name="minimal")
