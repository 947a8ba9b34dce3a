#!/usr/bin/env python3
"""Makes sure that `.tools/chromium/chromium` and `.tools/chromium/chromedriver` exist and fit each other.

Those on PATH are linked if they are of one major version. Otherwise the Debian packages are downloaded with what they
need and the system lacks, and unpacked below `.tools/chromium/root`; small scripts start them from there. Nothing goes
into the system, and root is not needed. Runs in a second or two when there is nothing to download.

    python3 deploy/tools/chromium.py [--from path|apt]

Ends with status 3, and one sentence, when there is no browser to be had on this machine. Needs Python 3.9.
"""

import argparse
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import debian

# Ends with it where no browser can be had, so that a caller can tell that from a fault.
NOT_TO_BE_HAD = 3
PACKAGES = ["chromium", "chromium-driver"]
# Taken for not installed: what is run from our folder has to lie there.
OURS = [*PACKAGES, "chromium-common", "chromium-sandbox"]
FONTS = "fonts-dejavu-core"
# The system's loader belongs to the system's C library: another one beside it would not start.
SYSTEMS_OWN = ["libc6", "libc-bin"]
BROWSERS_ON_PATH = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"]

TOOLS = pathlib.Path(__file__).resolve().parents[2] / ".tools"
PLACE = TOOLS / "chromium"
BROWSER, DRIVER = PLACE / "chromium", PLACE / "chromedriver"

# `{root}` is where the packages are unpacked.
SCRIPT = """#!/bin/sh
# Starts {program} out of Debian packages that are unpacked and not installed.
export LD_LIBRARY_PATH="{libraries}${{LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}}"
export FONTCONFIG_FILE="{fonts}"
exec "{program}" "$@"
"""
FONTS_CONF = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "urn:fontconfig:fonts.dtd">
<fontconfig>
  <include ignore_missing="yes">/etc/fonts/fonts.conf</include>
  <dir>/usr/share/fonts</dir>
  <dir>{root}/usr/share/fonts</dir>
  <cachedir>{cache}</cachedir>
</fontconfig>
"""


def main(source):
    wanted = {"path": True, "apt": False}.get(source)
    if not (fits(BROWSER, DRIVER) and wanted in (None, BROWSER.is_symlink())):
        found = None if source == "apt" else on_path()
        if found:
            link(*found)
        elif source == "path":
            raise debian.Unavailable("There are no chromium and chromedriver of one version on PATH.")
        else:
            download()
    where = "on PATH" if BROWSER.is_symlink() else "Debian's packages"
    print(f"chromium and chromedriver {major(BROWSER)} ({where}): {PLACE}")


def fits(browser, driver):
    """Whether both run and are of one major version: chromedriver refuses any other."""
    version = major(browser)
    return version is not None and version == major(driver)


def major(program):
    """The major version; none when `program` is not there or does not run."""
    try:
        shown = subprocess.run([str(program), "--version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"(\d+)\.\d+\.\d+\.\d+", shown.stdout)
    return match and int(match[1])


def on_path():
    """A browser of PATH and its driver, if they fit."""
    driver = shutil.which("chromedriver")
    browsers = (shutil.which(name) for name in BROWSERS_ON_PATH)
    return next(((browser, driver) for browser in browsers if browser and driver and fits(browser, driver)), None)


def link(browser, driver):
    with fresh_place() as place:
        (place / BROWSER.name).symlink_to(browser)
        (place / DRIVER.name).symlink_to(driver)


def download():
    print("downloading the Debian packages", *PACKAGES, flush=True)
    with fresh_place() as place, tempfile.TemporaryDirectory(dir=TOOLS) as folder:
        archive = debian.Archive(folder, absent=OURS)
        missing = archive.missing(PACKAGES + ([] if has_fonts() else [FONTS]))
        wanted = [package for package in missing if package.split("=")[0] not in SYSTEMS_OWN]
        for package in archive.download(wanted):
            debian.unpack(package, place / "root")
        write_scripts(place)


def has_fonts():
    folders = [pathlib.Path("/usr/share/fonts"), pathlib.Path("/usr/local/share/fonts"), pathlib.Path.home() / ".fonts"]
    return any(font.suffix in (".ttf", ".otf", ".ttc") for folder in folders for font in folder.rglob("*"))


def write_scripts(place):
    """Scripts and fonts' configuration, with the paths that hold once `place` is in its place."""
    root = PLACE / "root"
    unpacked = place / "root"
    libraries = ":".join(str(root / folder.relative_to(unpacked)) for folder in library_folders(unpacked))
    fonts = PLACE / "fonts.conf"
    (place / "fonts.conf").write_text(FONTS_CONF.format(root=root, cache=PLACE / "fonts-cache"))
    for name, program in {"chromium": "usr/lib/chromium/chromium", "chromedriver": "usr/bin/chromedriver"}.items():
        if not (unpacked / program).is_file():
            raise debian.Unavailable(f"The package of {name} is not Debian's: it has no {program}.")
        script = place / name
        script.write_text(SCRIPT.format(program=root / program, libraries=libraries, fonts=fonts))
        script.chmod(0o755)


def library_folders(unpacked):
    """Where libraries lie: also in folders of one package, which others find by a path that holds when it is installed."""
    libraries = (found for part in ("lib", "usr/lib") for found in (unpacked / part).glob("*-linux-gnu*/**/lib*.so*"))
    return sorted({library.parent for library in libraries})


@contextlib.contextmanager
def fresh_place():
    """A folder that takes the place of PLACE if nothing goes wrong, so that nobody ever sees half of it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=".chromium.", dir=TOOLS))
    folder.chmod(0o755)
    try:
        yield folder
        shutil.rmtree(PLACE, ignore_errors=True)
        os.replace(folder, PLACE)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    if not fits(BROWSER, DRIVER):
        raise debian.Unavailable(f"{BROWSER} does not run on this machine, or its driver does not fit.")


if __name__ == "__main__":
    if sys.version_info < (3, 9):
        sys.exit("deploy/tools/chromium.py needs Python 3.9 or newer.")
    options = argparse.ArgumentParser(description="Puts a chromium and its driver into .tools/chromium.")
    options.add_argument("--from", dest="source", choices=["path", "apt"], help="only from there, also if another is there")
    try:
        TOOLS.mkdir(exist_ok=True)
        main(options.parse_args().source)
    except debian.Unavailable as reason:
        print(f"No test runs in a browser, as no chromium with its driver can be had here: {reason}", file=sys.stderr)
        sys.exit(NOT_TO_BE_HAD)
