"""promptbus as a LangChain LLM.

from promptbus.langchain import create_local_llm

llm = create_local_llm("pocket", "streaming", max_tokens=64)
llm.invoke("Capital of France?")
"""

from promptbus.langchain.bus_session import BusSession
from promptbus.langchain.local_model_wrapper import LocalModelWrapper, create_local_llm

__all__ = ["BusSession", "LocalModelWrapper", "create_local_llm"]
