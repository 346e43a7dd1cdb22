# Drives MCP endpoints with the official Python client. Reads a JSON list from standard input: {"target":
# {"url", "headers"} or {"command", "args", "env"}, with "era", "steps": [{"do": "list"} or {"do": "call",
# "tool", "arguments", "progress"}]}. Writes a list of {"server", "protocol", "steps": [{"result"} or {"error":
# {"code", "message"}}, with "progress"]}, or {"refused": {"code", "message"}} where it cannot connect.
import asyncio
import json
import os
import sys

import httpx2
from mcp import Client, MCPError, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client


def plain(result):
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


def fault(error):
    # The client's task groups wrap what went wrong.
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, MCPError):
        return {"code": error.code, "message": error.message}
    return {"code": 0, "message": f"{type(error).__name__}: {error}"}


def transport(target):
    if "url" in target:
        client = httpx2.AsyncClient(headers=target.get("headers"), timeout=60)
        return streamable_http_client(target["url"], http_client=client)
    return stdio_client(
        StdioServerParameters(
            command=target["command"], args=target.get("args", []), env={**os.environ, **target.get("env", {})}
        )
    )


async def call(client, step):
    reports = []

    async def report(progress, total, message):
        reports.append({"progress": progress, "total": total or 0, "message": message or ""})

    result = await client.call_tool(
        step["tool"], step.get("arguments") or {}, progress_callback=report if step.get("progress") else None
    )
    done = {"result": plain(result)}
    return {**done, "progress": reports} if step.get("progress") else done


async def drive(target, steps):
    client = Client(transport(target), mode="legacy" if target.get("era") == "2025-11-25" else "auto")
    try:
        await client.__aenter__()
    except Exception as error:
        return {"refused": fault(error)}
    output = {"server": plain(client.server_info), "protocol": client.protocol_version, "steps": []}
    for step in steps:
        try:
            done = {"result": plain(await client.list_tools())} if step["do"] == "list" else await call(client, step)
        except Exception as error:
            done = {"error": fault(error)}
        output["steps"].append(done)
    await client.__aexit__(None, None, None)
    return output


jobs = json.load(sys.stdin)
json.dump([asyncio.run(drive(job["target"], job["steps"] or [])) for job in jobs], sys.stdout)
