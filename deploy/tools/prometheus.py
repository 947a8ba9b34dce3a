#!/usr/bin/env python3
"""Makes sure that `.tools/prometheus` and `.tools/promtool` exist and are at least MINIMUM. Nothing goes into the system.

Those on PATH that are recent enough are linked. Otherwise the Debian package is downloaded, with lists of packages that
are kept in `.tools` too, and the two programs in it are unpacked; apt checks the distribution's signature. Runs in a
moment when there is nothing to do. Needs Python 3.9, and apt and dpkg unless the programs are there.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import debian

# What Debian 12 has. Rules and dashboards use nothing that is newer.
MINIMUM = (2, 42)
PACKAGE = "prometheus"
PROGRAMS = ["prometheus", "promtool"]

TOOLS = pathlib.Path(__file__).resolve().parents[2] / ".tools"


def main():
    TOOLS.mkdir(exist_ok=True)
    if all(is_recent(TOOLS / program) for program in PROGRAMS):
        return
    on_path = {program: shutil.which(program) for program in PROGRAMS}
    if all(found and is_recent(found) for found in on_path.values()):
        for program, found in on_path.items():
            place(program, lambda spot, found=found: spot.symlink_to(os.path.realpath(found)))
    else:
        download()
    for program in PROGRAMS:
        if not is_recent(TOOLS / program):
            give_up(f"{TOOLS / program} does not run on this machine, or is too old.")
    print(f"prometheus and promtool {'.'.join(map(str, version(TOOLS / 'prometheus')))}: {TOOLS}")


def is_recent(program):
    return (version(program) or (0,)) >= MINIMUM


def version(program):
    """The release as a tuple of numbers; None when `program` is not there or does not run."""
    try:
        shown = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"version (\d+)\.(\d+)\.(\d+)", shown.stdout + shown.stderr)
    return tuple(int(part) for part in match.groups()) if match else None


def place(program, make):
    """Lets `make` create a file under a name of its own, then renames it: nobody ever sees half a program."""
    spot = TOOLS / f".{program}.{os.getpid()}"
    spot.unlink(missing_ok=True)
    try:
        make(spot)
        os.replace(spot, TOOLS / program)
    finally:
        spot.unlink(missing_ok=True)


def download():
    print(f"downloading the Debian package {PACKAGE}", flush=True)
    with tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        unpacked = pathlib.Path(folder) / "unpacked"
        try:
            [package] = debian.Archive(folder).download([PACKAGE])
            debian.unpack(package, unpacked)
        except debian.Unavailable as reason:
            give_up(str(reason))
        for program in PROGRAMS:
            place(program, lambda spot: shutil.copy2(unpacked / "usr" / "bin" / program, spot))


def give_up(reason):
    need = ".".join(map(str, MINIMUM))
    sys.exit(
        f"{reason}\n"
        f"The checks of rules and dashboards need prometheus and promtool {need} or newer. Either put them on PATH,\n"
        f"or copy them to {TOOLS} (releases: https://github.com/prometheus/prometheus); then run this again."
    )


if __name__ == "__main__":
    if sys.version_info < (3, 9):
        sys.exit("deploy/tools/prometheus.py needs Python 3.9 or newer.")
    main()
