"""The application, as `uvicorn app.main:app` serves it."""

from fastapi import FastAPI

app = FastAPI()
