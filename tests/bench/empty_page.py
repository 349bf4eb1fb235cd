"""The page that ours are measured beside: FastAPI and Jinja with nothing behind them."""

import sys

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment

PAGE = Environment(autoescape=True).from_string(
    "<!doctype html><html lang=en><title>{{ title }}</title><p>{{ title }} at {{ path }}.</p></html>"
)
app = FastAPI()


@app.get("/")
def empty(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE.render(title="An empty page", path=request.url.path))


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning", access_log=False)
