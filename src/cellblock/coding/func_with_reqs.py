"""Functions of a program that the code it executes can import, with the packages and imports they need.

A function travels as source code. An executor writes ``functions_module_source`` to a module where its blocks can
import it, installs ``required_packages`` there, and describes the functions to a model with ``format_functions``.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from string import Template
from textwrap import dedent, indent
from typing import Any, Generic, NoReturn, ParamSpec, TypeVar

from cellblock.errors import ConfigError

__all__ = [
    "DEFAULT_PROMPT_TEMPLATE",
    "Alias",
    "FunctionWithRequirements",
    "FunctionWithRequirementsStr",
    "Import",
    "ImportFromModule",
    "UserFunction",
    "format_functions",
    "functions_module_source",
    "required_packages",
    "to_stub",
    "with_requirements",
]

P = ParamSpec("P")
T = TypeVar("T")

DEFAULT_PROMPT_TEMPLATE = (
    "You have access to the following user defined functions. They can be accessed from the module called "
    "`$module_name` by their function names.\n\n"
    "For example, if there was a function called `foo` you could import it by writing "
    "`from $module_name import foo`\n\n$functions"
)
"""AutoGen 0.2's text for a system message; ``$functions`` are the stubs."""


@dataclass
class Alias:
    """A name imported ``as`` another.

    Attributes:
        name: What is imported.
        alias: What it is called.
    """

    name: str
    alias: str


@dataclass
class ImportFromModule:
    """Names imported from a module.

    Attributes:
        module: Where they are.
        imports: One name or several.
    """

    module: str
    imports: str | Alias | Sequence[str | Alias]


Import = str | Alias | ImportFromModule
"""``"pandas"``, ``Alias("pandas", "pd")`` or ``ImportFromModule("pandas", ["DataFrame"])``."""


@dataclass
class FunctionWithRequirements(Generic[P, T]):
    """A function with what its source needs. It can be called like the function itself.

    Attributes:
        func: The function.
        python_packages: What pip installs for it, versions included.
        global_imports: What its module imports.
    """

    func: Callable[P, T]
    python_packages: Sequence[str] = ()
    global_imports: Sequence[Import] = ()

    @classmethod
    def from_callable(
        cls, func: Callable[P, T], python_packages: Sequence[str] = (), global_imports: Sequence[Import] = ()
    ) -> FunctionWithRequirements[P, T]:
        """A function with requirements, without the decorator. For the arguments see the class."""
        return cls(func, python_packages, global_imports)

    @staticmethod
    def from_str(
        func: str, python_packages: Sequence[str] = (), global_imports: Sequence[Import] = ()
    ) -> FunctionWithRequirementsStr:
        """A function given as source code, which is not run here.

        Raises:
            ConfigError: The source does not compile, or does not define exactly one function.
        """
        return FunctionWithRequirementsStr(func, python_packages, global_imports)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Calls the function."""
        return self.func(*args, **kwargs)


@dataclass
class FunctionWithRequirementsStr:
    """A function given as source code.

    Attributes:
        func: The source.
        python_packages: What pip installs for it, versions included.
        global_imports: What its module imports.

    Raises:
        ConfigError: The source does not compile, or does not define exactly one function.
    """

    func: str
    python_packages: Sequence[str] = ()
    global_imports: Sequence[Import] = ()
    _definition: ast.FunctionDef | ast.AsyncFunctionDef = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        try:
            module = ast.parse(self.func)
        except (SyntaxError, ValueError) as error:
            raise ConfigError(f"Could not compile function: {error}") from error
        definitions = _definitions(module)
        if len(definitions) != 1:
            raise ConfigError("The string must contain exactly one function")
        self._definition = definitions[0]

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Is not possible: the source is for the executor only.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError("String based function with requirement objects are not directly callable")

    def stub(self) -> str:
        """See ``to_stub``."""
        node = self._definition
        return _stub(node.name, str(_signature(node)), ast.get_docstring(node, clean=False))


UserFunction = FunctionWithRequirements[..., Any] | FunctionWithRequirementsStr | Callable[..., Any]


def with_requirements(
    python_packages: Sequence[str] = (), global_imports: Sequence[Import] = ()
) -> Callable[[Callable[P, T]], FunctionWithRequirements[P, T]]:
    """A decorator that gives a function its requirements. It must be the outermost one.

    Args:
        python_packages: What pip installs for the function, versions included.
        global_imports: What the function's module imports.
    """

    def decorate(func: Callable[P, T]) -> FunctionWithRequirements[P, T]:
        decorated = FunctionWithRequirements(func, python_packages, global_imports)
        functools.update_wrapper(decorated, func)
        return decorated

    return decorate


def functions_module_source(functions: Sequence[UserFunction]) -> str:
    """The source of a module that defines the functions: their imports, then their sources.

    Annotations are not evaluated in it, so a type that only annotates needs no import.

    Args:
        functions: What the module defines.

    Raises:
        ConfigError: The source of a function cannot be read.
    """
    imports = dict.fromkeys(
        _import_statement(needed)
        for function in functions
        if isinstance(function, FunctionWithRequirements | FunctionWithRequirementsStr)
        for needed in function.global_imports
    )
    head = "\n".join(["from __future__ import annotations", *imports])
    return "\n\n\n".join([head, *(_source(function).strip("\n") for function in functions)]) + "\n"


def required_packages(functions: Sequence[UserFunction]) -> list[str]:
    """What pip has to install for the functions, each once.

    Args:
        functions: Functions of any of the three kinds.
    """
    return list(
        dict.fromkeys(
            package
            for function in functions
            if isinstance(function, FunctionWithRequirements | FunctionWithRequirementsStr)
            for package in function.python_packages
        )
    )


def format_functions(
    functions: Sequence[UserFunction], module_name: str, template: str = DEFAULT_PROMPT_TEMPLATE
) -> str:
    """A text that tells a model what it can import.

    Args:
        functions: What the module defines.
        module_name: What the module is called where the code runs.
        template: A ``string.Template`` with ``$module_name`` and ``$functions``.
    """
    return Template(template).substitute(module_name=module_name, functions="\n\n".join(map(to_stub, functions)))


def to_stub(function: UserFunction) -> str:
    """A function's signature and docstring, with ``...`` for its body.

    Args:
        function: A function of any of the three kinds.
    """
    if isinstance(function, FunctionWithRequirementsStr):
        return function.stub()
    plain = _plain(function)
    return _stub(plain.__name__, str(inspect.signature(plain)), plain.__doc__)


class _Source:
    """An expression that a signature shows as it was written."""

    def __init__(self, expression: ast.expr) -> None:
        self._text = ast.unparse(expression)

    def __repr__(self) -> str:
        return self._text


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> inspect.Signature:
    given = function.args
    positional: list[tuple[ast.arg, Any]] = [(arg, inspect.Parameter.POSITIONAL_ONLY) for arg in given.posonlyargs]
    positional += [(arg, inspect.Parameter.POSITIONAL_OR_KEYWORD) for arg in given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + given.defaults
    parameters = [_parameter(arg, kind, default) for (arg, kind), default in zip(positional, defaults, strict=True)]
    if given.vararg:
        parameters.append(_parameter(given.vararg, inspect.Parameter.VAR_POSITIONAL))
    for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        parameters.append(_parameter(arg, inspect.Parameter.KEYWORD_ONLY, default))
    if given.kwarg:
        parameters.append(_parameter(given.kwarg, inspect.Parameter.VAR_KEYWORD))
    returns = _Source(function.returns) if function.returns else inspect.Signature.empty
    return inspect.Signature(parameters, return_annotation=returns)


def _parameter(arg: ast.arg, kind: Any, default: ast.expr | None = None) -> inspect.Parameter:
    empty = inspect.Parameter.empty
    return inspect.Parameter(
        arg.arg,
        kind,
        default=_Source(default) if default else empty,
        annotation=_Source(arg.annotation) if arg.annotation else empty,
    )


def _plain(function: FunctionWithRequirements[..., Any] | Callable[..., Any]) -> Callable[..., Any]:
    plain: Callable[..., Any] = inspect.unwrap(
        function.func if isinstance(function, FunctionWithRequirements) else function
    )
    return plain


def _stub(name: str, signature: str, docstring: str | None) -> str:
    documentation = indent(f'"""{dedent(docstring)}"""', "    ") + "\n" if docstring else ""
    return f"def {name}{signature}:\n{documentation}    ..."


def _import_statement(needed: Import) -> str:
    if isinstance(needed, ImportFromModule):
        names = [needed.imports] if isinstance(needed.imports, str | Alias) else needed.imports
        return f"from {needed.module} import {', '.join(map(_imported_name, names))}"
    return f"import {_imported_name(needed)}"


def _imported_name(name: str | Alias) -> str:
    return name if isinstance(name, str) else f"{name.name} as {name.alias}"


def _source(function: UserFunction) -> str:
    """A function's source, from its first decorator on but without ``with_requirements``."""
    if isinstance(function, FunctionWithRequirementsStr):
        return function.func
    plain = _plain(function)
    try:
        source = dedent(inspect.getsource(plain))
        (definition,) = _definitions(ast.parse(source))
    except (OSError, TypeError, SyntaxError, ValueError) as error:
        raise ConfigError(
            f"The source of {plain!r} cannot be read, so it cannot be sent to where the code runs. Define it with def, "
            "in a file or a notebook cell, or give its source to FunctionWithRequirements.from_str()."
        ) from error
    lines = source.splitlines(keepends=True)
    for decorator in definition.decorator_list:
        called = decorator.func if isinstance(decorator, ast.Call) else decorator
        if ast.unparse(called).rpartition(".")[2] == "with_requirements":
            assert decorator.end_lineno is not None
            del lines[decorator.lineno - 1 : decorator.end_lineno]
            break
    return "".join(lines)


def _definitions(module: ast.Module) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [node for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
