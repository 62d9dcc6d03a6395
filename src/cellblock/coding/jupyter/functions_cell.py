def _define_module(name, source, packages):  # noqa: ANN001, ANN202, D100 - runs in the kernel, not here
    import linecache
    import subprocess
    import sys
    import types

    if packages:
        command = [sys.executable, "-m", "pip", "install", "-qq", "--disable-pip-version-check", *packages]
        pip = subprocess.run(command, capture_output=True, text=True, check=False)
        if pip.returncode:
            raise ImportError(f"Pip install failed. {pip.stdout}, {pip.stderr}")
    file = f"<{name}>"
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    module = types.ModuleType(name)
    module.__file__ = file
    exec(compile(source, file, "exec"), module.__dict__)  # noqa: S102 - the caller's own functions
    sys.modules[name] = module
