# pyright: strict
"""The public API as a typed program uses it. Pyright checks this file; nothing runs it.

``assert_type`` fails where a type is not what the documentation says, and strict mode where any of it is unknown.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

from cellblock import (
    DEFAULT_RENDERERS,
    AsyncSession,
    CellResult,
    CellStatus,
    CodeBlock,
    DirectorySink,
    DisplayOutput,
    EmbeddedIPythonCodeExecutor,
    ErrorOutput,
    IPythonCodeResult,
    JupyterCodeExecutor,
    Limits,
    MarkdownCodeExtractor,
    MimeBundle,
    OmittedOutput,
    Output,
    ResultOutput,
    Session,
    Sink,
    StreamOutput,
    apply_budget,
    render_cell,
)
from cellblock.agentchat import AssistantAgent, ChatResult, ConversableAgent, ModelReply, UserProxyAgent, jupyter_prompt
from cellblock.coding import (
    CodeExecutor,
    CodeExecutorFactory,
    CodeResult,
    CommandLineCodeResult,
    DockerCommandLineCodeExecutor,
    LocalCommandLineCodeExecutor,
    with_requirements,
)
from cellblock.errors import CellblockError, CellTimeout


def answer(prompt: str, secret: bool) -> str:
    return "" if secret else prompt


async def answer_later(prompt: str, secret: bool) -> str:
    return answer(prompt, secret)


def show(output: Output) -> str:
    match output:
        case StreamOutput(name=name, text=text):
            return f"{name} {text}"
        case DisplayOutput(data=data) | ResultOutput(data=data):
            return str(data.get("text/plain"))
        case ErrorOutput(ename=ename, traceback=traceback):
            return f"{ename} {len(traceback)}"
        case OmittedOutput(characters=characters, location=location):
            return f"{characters:,} {location}"
        case _:
            return ""


def csv(bundle: MimeBundle, sink: Sink) -> str | None:
    return sink.save(str(bundle["text/csv"]).encode(), ".csv") if "text/csv" in bundle else None


def blocking() -> None:
    with Session(timeout=None, cwd=Path(), env={"A": "1"}, input_handler=answer, limits=Limits(memory=1)) as session:
        result = assert_type(session.run("1", timeout=2.5, on_output=lambda output: print(show(output))), CellResult)
        assert_type(result.status, CellStatus)
        assert_type(result.outputs, tuple[Output, ...])
        assert_type(result.exit_code, int)
        assert_type(result.raise_for_error(), CellResult)
        assert_type(result.user_expressions, Mapping[str, Any])
        stream = session.stream("2")
        for output in stream:
            assert_type(output, Output)
        assert_type(stream.result, CellResult)
        rendered = render_cell(result, DirectorySink("."), renderers=(csv, *DEFAULT_RENDERERS))
        assert_type(rendered.text, str)
        assert_type(rendered.files, list[str])


async def asynchronous() -> None:
    async with AsyncSession(input_handler=answer_later) as session:
        stream = session.stream("1")
        async for output in stream:
            assert_type(output, Output)
        assert_type(stream.result, CellResult)
        assert_type(await session.run("2"), CellResult)
        await session.restart()


def executors(message: str) -> None:
    blocks = MarkdownCodeExtractor().extract_code_blocks(message)
    assert_type(blocks, list[CodeBlock])
    with JupyterCodeExecutor(timeout=5, output_dir=Path(), journal="run.ipynb") as executor:
        result = assert_type(executor.execute_code_blocks(blocks), IPythonCodeResult)
        assert_type(result.output_files, list[str])
        assert_type(result.for_model("anthropic"), list[dict[str, Any]])
        assert_type(apply_budget(result.output, 100), str)
        any_executor(executor, blocks)
    any_executor(EmbeddedIPythonCodeExecutor(timeout=5), blocks)


@with_requirements(python_packages=["pandas"])
def add(a: int, b: int) -> int:
    return a + b


def command_line_executors(blocks: list[CodeBlock]) -> None:
    assert_type(add(1, 2), int)
    local = LocalCommandLineCodeExecutor(timeout=5, work_dir="work", functions=[add], execution_policies={"sh": False})
    assert_type(local.execute_code_blocks(blocks).code_file, str | None)
    any_executor(local, blocks)
    with DockerCommandLineCodeExecutor("python:3-slim", bind_dir=Path("/host")) as docker:
        assert_type(docker.execute_code_blocks(blocks), CommandLineCodeResult)
        any_executor(docker, blocks)


def parrot(messages: list[dict[str, Any]]) -> str:
    return str(messages[-1]["content"])


async def slow_parrot(messages: list[dict[str, Any]]) -> ModelReply:
    return ModelReply(parrot(messages), model="parrot", cost=0.1)


async def agents(executor: CodeExecutor) -> None:
    writer = ConversableAgent("writer", jupyter_prompt(seconds=5), model=parrot, human_input_mode="NEVER")
    runner = ConversableAgent(
        "runner",
        is_termination_msg=lambda message: "TERMINATE" in message["content"],
        code_execution_config={
            "executor": executor,
            "last_n_messages": "auto",
            "max_repeats": None,
            "send_images": True,
        },
    )
    runner.register_reply([ConversableAgent, None], lambda *_, **__: (False, None))
    result = assert_type(runner.initiate_chat(writer, message="hi", max_turns=2), ChatResult)
    assert_type(result.chat_history, list[dict[str, Any]])
    assert_type(result.cost, dict[str, dict[str, Any]])
    assert_type(result.human_input, list[str])
    assert_type(result.stop_reason, str)
    assert_type(await runner.a_initiate_chat(writer, message={"content": "hi"}), ChatResult)
    assert_type(runner.resume_chat(writer), ChatResult)
    assert_type(runner.code_executor, CodeExecutor | None)
    assistant = AssistantAgent("assistant", llm_config={"config_list": [{"model": "gpt-4o"}]})
    user = UserProxyAgent("user", human_input_mode="TERMINATE", code_execution_config=False)
    assert_type(user.initiate_chat(assistant, message=None, summary_method="reflection_with_llm"), ChatResult)
    ConversableAgent("slow", model=slow_parrot)


def any_executor(executor: CodeExecutor, blocks: list[CodeBlock]) -> None:
    assert_type(executor.execute_code_blocks(blocks), CodeResult)
    assert_type(CodeExecutorFactory.create({"executor": executor}), CodeExecutor)
    executor.restart()


def errors(result: CellResult) -> str:
    try:
        result.raise_for_error()
    except CellTimeout as error:
        timeout: TimeoutError = error
        return str(timeout)
    except CellblockError as error:
        return str(error)
    return result.text
