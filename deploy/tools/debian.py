"""Programs out of Debian packages, without touching the system and without being root.

apt works with lists and a cache in a folder of ours, by the system's sources and keys: it checks the distribution's
signatures. Packages are unpacked, never installed.
"""

import pathlib
import re
import shutil
import subprocess

STATUS = pathlib.Path("/var/lib/dpkg/status")
# How long apt may take for one step, in seconds: its own retries end long before, a slow line has to fit in.
LIMIT = 600
# How long apt waits for a server that says nothing, in seconds.
PATIENCE = 20


class Unavailable(Exception):
    """What is wanted cannot be had here; says why in one sentence."""


class Archive:
    """The distribution's packages, by lists of our own in `folder`.

    `absent` are packages to be taken for not installed, whatever the system has.
    """

    def __init__(self, folder, absent=(), status=STATUS):
        if not (shutil.which("apt-get") and shutil.which("dpkg-deb") and status.is_file()):
            raise Unavailable("There is no apt here to fetch it with.")
        self.folder = pathlib.Path(folder)
        for part in ("lists/partial", "cache/archives/partial", "packages"):
            (self.folder / part).mkdir(parents=True)
        own_status = self.folder / "status"
        own_status.write_text(without(status.read_text("utf-8"), absent), "utf-8")
        settings = {
            "Dir::State::Lists": self.folder / "lists",
            "Dir::State::Status": own_status,
            "Dir::Cache": self.folder / "cache",
            "Acquire::http::Timeout": PATIENCE,
            "Acquire::https::Timeout": PATIENCE,
            # As root, apt would download as a user who may not write here.
            "APT::Sandbox::User": "root",
        }
        self.apt_get = ["apt-get", "-qq"]
        for name, value in settings.items():
            self.apt_get += ["-o", f"{name}={value}"]
        self.run(["update"])

    def missing(self, names):
        """The packages `names`, and those below them that the system lacks, each as `name=version`."""
        plan = self.run(["--simulate", "--no-install-recommends", "install", *names])
        return [f"{name}={version}" for name, version in re.findall(r"^Inst (\S+) (?:\[\S+\] )?\((\S+) ", plan, re.M)]

    def download(self, names):
        """The files of the packages `names`; without what is below them."""
        self.run(["download", *names])
        files = list((self.folder / "packages").glob("*.deb"))
        if len(files) != len(names):
            raise Unavailable(f"apt-get downloaded {len(files)} packages where {len(names)} were expected.")
        return files

    def run(self, arguments):
        step = next(argument for argument in arguments if not argument.startswith("-"))
        try:
            done = subprocess.run(
                self.apt_get + arguments, cwd=self.folder / "packages", capture_output=True, text=True, timeout=LIMIT
            )
        except subprocess.TimeoutExpired:
            raise Unavailable(f"apt-get {step} took more than {LIMIT} s.")
        if done.returncode != 0:
            errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
            raise Unavailable(f"apt-get {step} failed: {(errors or [f'status {done.returncode}'])[0]}")
        return done.stdout


def without(status, absent):
    """The text of dpkg's status file, less the packages `absent`."""
    entries = status.split("\n\n")
    return "\n\n".join(entry for entry in entries if not names_one_of(entry, absent))


def names_one_of(entry, packages):
    name = re.search(r"^Package: (\S+)$", entry, re.M)
    return name is not None and name[1] in packages


def unpack(package, folder):
    """Puts the files of a package below `folder`; runs none of its scripts."""
    done = subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], capture_output=True, text=True)
    if done.returncode != 0:
        raise Unavailable(f"dpkg-deb could not unpack {package.name}: {done.stderr.strip()}")
