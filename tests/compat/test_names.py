"""The import name autogen: every name and module of AutoGen 0.2 that is promised, and what it is."""

import importlib
import subprocess
import sys
import warnings

import autogen
import pytest
from cellblock_autogen.names import HOMES, MISSING, SUBMODULES

NAMES = {
    "autogen": """
        Agent ConversableAgent AssistantAgent UserProxyAgent initiate_chats gather_usage_summary ChatResult OpenAIWrapper
        ModelClient Cache config_list_from_json config_list_from_models config_list_from_dotenv filter_config
        get_config_list DEFAULT_MODEL FAST_MODEL SenderRequired InvalidCarryOverType AgentNameConflict NoEligibleSpeaker
        UndefinedNextAgent __version__""",
    "autogen.agentchat": "Agent AssistantAgent ChatResult ConversableAgent UserProxyAgent gather_usage_summary initiate_chats",
    "autogen.agentchat.conversable_agent": "ConversableAgent",
    "autogen.coding": """
        CodeBlock CodeResult CodeExtractor CodeExecutor CodeExecutorFactory MarkdownCodeExtractor
        LocalCommandLineCodeExecutor DockerCommandLineCodeExecutor""",
    "autogen.coding.base": """
        CodeBlock CodeResult CodeExtractor CodeExecutor CodeExecutionConfig IPythonCodeResult CommandLineCodeResult""",
    "autogen.coding.jupyter": """
        JupyterConnectable JupyterConnectionInfo JupyterClient LocalJupyterServer DockerJupyterServer
        EmbeddedIPythonCodeExecutor JupyterCodeExecutor""",
    "autogen.coding.jupyter.base": "JupyterConnectable JupyterConnectionInfo",
    "autogen.coding.jupyter.docker_jupyter_server": "DockerJupyterServer",
    "autogen.coding.jupyter.embedded_ipython_code_executor": "EmbeddedIPythonCodeExecutor",
    "autogen.coding.jupyter.jupyter_client": "JupyterClient JupyterKernelClient ExecutionResult DataItem",
    "autogen.coding.jupyter.jupyter_code_executor": "JupyterCodeExecutor",
    "autogen.coding.jupyter.local_jupyter_server": "LocalJupyterServer",
    "autogen.coding.factory": "CodeExecutorFactory",
    "autogen.coding.markdown_code_extractor": "MarkdownCodeExtractor",
    "autogen.coding.local_commandline_code_executor": """
        LocalCommandLineCodeExecutor LocalCommandlineCodeExecutor CommandlineCodeResult""",
    "autogen.coding.docker_commandline_code_executor": "DockerCommandLineCodeExecutor",
    "autogen.coding.utils": "silence_pip _get_file_name_from_content",
    "autogen.coding.func_with_reqs": """
        with_requirements FunctionWithRequirements FunctionWithRequirementsStr Alias ImportFromModule to_stub""",
    "autogen.code_utils": """
        create_virtual_env extract_code infer_lang content_str execute_code decide_use_docker
        check_can_use_docker_or_throw is_docker_running in_docker_container CODE_BLOCK_PATTERN PYTHON_VARIANTS
        TIMEOUT_MSG UNKNOWN WIN32""",
    "autogen.exception_utils": "SenderRequired InvalidCarryOverType AgentNameConflict NoEligibleSpeaker UndefinedNextAgent",
    "autogen.io": "IOStream IOConsole InputStream OutputStream",
    "autogen.oai": "OpenAIWrapper ModelClient Cache filter_config",
    "autogen.oai.client": "OpenAIWrapper ModelClient",
    "autogen.oai.openai_utils": "config_list_from_json filter_config get_config_list",
    "autogen.cache": "Cache",
    "autogen.cache.cache": "Cache",
    "autogen.io.base": "IOStream InputStream OutputStream",
    "autogen.io.console": "IOConsole",
}


@pytest.mark.parametrize("module", NAMES)
def test_names_are_there(module):
    found = importlib.import_module(module)
    for name in NAMES[module].split():
        assert getattr(found, name) is not None


@pytest.mark.parametrize("name", SUBMODULES)
def test_submodule_is_the_very_module_it_stands_for(name):
    assert importlib.import_module(f"autogen.{name}") is importlib.import_module(SUBMODULES[name])


@pytest.mark.parametrize("name", HOMES)
def test_name_is_the_very_object_it_stands_for(name):
    assert getattr(autogen, name) is getattr(importlib.import_module(HOMES[name]), name)


def test_submodules_are_attributes_without_an_import_of_their_own():
    code = "import autogen; print(autogen.coding.CodeBlock.__name__, autogen.code_utils.TIMEOUT_MSG, autogen.oai.Cache)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "CodeBlock Timeout <class 'cellblock.agentchat.cache.Cache'>\n"


def test_import_makes_no_second_copies():
    import autogen.coding.base
    import autogen.coding.jupyter

    from cellblock.coding import CodeBlock

    assert autogen.coding.CodeBlock is autogen.coding.base.CodeBlock is CodeBlock
    assert [name for name in sys.modules if name.startswith("autogen.") and sys.modules[name].__name__ == name] == []


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_says_why(name):
    with pytest.raises(ImportError, match=rf"^autogen\.{name} is not part of cellblock: "):
        exec(f"from autogen import {name}")


def test_unknown_names_are_errors_of_the_usual_kinds():
    with pytest.raises(ImportError, match="cannot import name 'Nothing'"):
        exec("from autogen import Nothing")
    for name in ("autogen.nothing", "autogen.coding.nothing", "autogen.agentchat.contrib"):
        with pytest.raises(
            ModuleNotFoundError, match=rf"^{name} is not part of what cellblock provides of AutoGen 0\.2\.$"
        ):
            importlib.import_module(name)


def test_version_and_constants():
    import autogen.code_utils

    assert autogen.__version__.startswith("0.2.40+")
    assert (autogen.DEFAULT_MODEL, autogen.FAST_MODEL) == ("gpt-4", "gpt-3.5-turbo")
    assert (autogen.code_utils.TIMEOUT_MSG, autogen.code_utils.UNKNOWN) == ("Timeout", "unknown")
    assert set(dir(autogen)) >= {*HOMES, "__version__"}


def test_import_is_lazy():
    """Nothing that takes time is imported before it is used."""
    code = (
        "import sys, autogen, autogen.coding, autogen.agentchat\n"
        "print([name for name in ('pydantic', 'openai', 'zmq', 'docker', 'httpx2', 'websockets', 'nbformat', 'asyncio') "
        "if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_old_names_of_classes_warn():
    from autogen.coding.local_commandline_code_executor import (
        CommandLineCodeResult,
        CommandlineCodeResult,
        LocalCommandLineCodeExecutor,
        LocalCommandlineCodeExecutor,
    )

    with warnings.catch_warnings():
        executor = LocalCommandLineCodeExecutor()
        assert isinstance(executor, LocalCommandlineCodeExecutor)
        assert issubclass(LocalCommandLineCodeExecutor, LocalCommandlineCodeExecutor)
        assert isinstance(CommandLineCodeResult(exit_code=0, output=""), CommandlineCodeResult)
        assert not isinstance(3, CommandlineCodeResult)
    with pytest.warns(DeprecationWarning, match="^LocalCommandlineCodeExecutor has been renamed to LocalCommandLine"):
        assert type(LocalCommandlineCodeExecutor(timeout=7)) is LocalCommandLineCodeExecutor
    with pytest.warns(DeprecationWarning, match="renamed"):

        class Mine(LocalCommandlineCodeExecutor):
            pass

    assert issubclass(Mine, LocalCommandLineCodeExecutor)
