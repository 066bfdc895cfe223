"""A crew whose tools ask the network with twenty clients, none of them patched. What each does is in its one call."""

import asyncio
import http.client
import os
import smtplib
import socket
import urllib.request

import aiohttp
import anthropic
import boto3
import grpc
import httpx
import openai
import psycopg
import pymongo
import redis
import requests
import urllib3
import websockets.sync.client
from crewai import Agent, Crew, Task
from crewai.tools import tool
from crewai_tools import ScrapeWebsiteTool, SerperDevTool
from google import genai
from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client

POSTGRES, REDIS, REAL = (int(os.environ[name]) for name in ("STALL_POSTGRES", "STALL_REDIS", "STALL_REAL"))
TOOLS = []


def network(function):
    """Make a tool of it, named after the function."""
    made = tool(function.__name__)(function)
    TOOLS.append(made)
    return made


@network
def by_requests(query: str) -> str:
    """Search."""
    return requests.get("https://requests.example.com/search", params={"q": query}).text


@network
def by_requests_bounded(query: str) -> str:
    """Search, and change the world by it."""
    return requests.post("https://bounded.example.com/orders", json={"q": query}, timeout=2).text


@network
def by_requests_here(query: str) -> str:
    """Ask a service on this very machine."""
    return requests.delete(f"http://127.0.0.1:{REAL}/orders", params={"q": query}).text


@network
def by_urllib(query: str) -> str:
    """Search."""
    return urllib.request.urlopen(f"https://urllib.example.com/{len(query)}").read().decode()


@network
def by_urllib3(query: str) -> str:
    """Search."""
    return urllib3.PoolManager().request("GET", "https://urllib3.example.com/", fields={"q": query}).data.decode()


@network
def by_http_client(query: str) -> str:
    """Search."""
    connection = http.client.HTTPSConnection("http-client.example.com")
    connection.request("GET", f"/{len(query)}")
    return connection.getresponse().read().decode()


@network
def by_httpx(query: str) -> str:
    """Search."""
    return httpx.get("https://httpx.example.com/", params={"q": query}).text


@network
def by_httpx_async(query: str) -> str:
    """Search."""

    async def ask() -> str:
        async with httpx.AsyncClient(timeout=None) as client:
            return (await client.get("https://httpx-async.example.com/", params={"q": query})).text

    return asyncio.run(ask())


@network
def by_aiohttp(query: str) -> str:
    """Search."""

    async def ask() -> str:
        url, asked = "https://aiohttp.example.com/", {"q": query}
        async with aiohttp.ClientSession() as session, session.get(url, params=asked) as answer:
            return await answer.text()

    return asyncio.run(ask())


@network
def by_openai(query: str) -> str:
    """Ask a model."""
    client = openai.OpenAI(api_key="sk-none", base_url="https://openai.example.com/v1", max_retries=0)
    said = client.chat.completions.create(model="m", messages=[{"role": "user", "content": query}])
    return str(said)


@network
def by_anthropic(query: str) -> str:
    """Ask a model."""
    client = anthropic.Anthropic(api_key="none", base_url="https://anthropic.example.com", timeout=2, max_retries=1)
    return str(client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": query}]))


@network
def by_genai(query: str) -> str:
    """Ask a model."""
    client = genai.Client(api_key="none")
    return str(client.models.generate_content(model="gemini-2.5-flash", contents=query))


@network
def by_boto3(query: str) -> str:
    """Read a table."""
    client = boto3.client("dynamodb", "eu-west-1", aws_access_key_id="none", aws_secret_access_key="none")
    return str(client.get_item(TableName="t", Key={"id": {"S": query}}))


@network
def by_websockets(query: str) -> str:
    """Listen."""
    with websockets.sync.client.connect("wss://websockets.example.com/") as connection:
        connection.send(query)
        return str(connection.recv())


@network
def by_socket(query: str) -> str:
    """Ask."""
    with socket.create_connection(("socket.example.com", 4321)) as plain:
        plain.sendall(query.encode())
        return plain.recv(100).decode()


@network
def by_smtplib(query: str) -> str:
    """Send a letter."""
    with smtplib.SMTP("smtp.example.com", 587) as server:
        server.sendmail("a@example.com", "b@example.com", query)
    return "sent"


@network
def by_mcp(query: str) -> str:
    """Call a tool of an MCP server."""

    async def ask() -> str:
        url = "https://mcp.example.com/mcp"
        async with streamablehttp_client(url) as (read, write, _), ClientSession(read, write) as session:
            await session.initialize()
            return str(await session.call_tool("search", {"query": query}))

    return asyncio.run(ask())


@network
def by_psycopg(query: str) -> str:
    """Ask a database on this very machine."""
    with psycopg.connect(f"postgresql://u@127.0.0.1:{POSTGRES}/postgres", connect_timeout=3) as database:
        return str(database.execute("SELECT pg_sleep(3600), %s", [query]).fetchall())


@network
def by_redis(query: str) -> str:
    """Wait for a message on this very machine."""
    return str(redis.Redis(port=REDIS, socket_timeout=None, retry=None).blpop([query], 0))


@network
def by_pymongo(query: str) -> str:
    """Ask a database."""
    client = pymongo.MongoClient("mongodb://mongo.example.com/", serverSelectionTimeoutMS=3000)
    return str(client.test.things.find_one({"q": query}))


@network
def by_grpc(query: str) -> str:
    """Call a service."""
    channel = grpc.secure_channel("grpc.example.com:443", grpc.ssl_channel_credentials())
    call = channel.unary_unary("/things.Things/Get", lambda text: text.encode(), lambda raw: raw.decode())
    return call(query, timeout=3)


@network
def by_nobody(query: str) -> str:
    """Count letters."""
    return str(len(query))


serper, scrape = SerperDevTool(), ScrapeWebsiteTool(website_url="https://scrape.example.com/page")
agent = Agent(role="Asker", goal="ask", backstory="b", tools=[*TOOLS, serper, scrape], llm="openai/gpt-4.1-mini")
crew = Crew(agents=[agent], tasks=[Task(description="d", expected_output="e", agent=agent)])
