"""Scripts of an Upstream that make a web site of a folder, and of a repository of git."""

import os
import subprocess
import urllib.parse

from .limits import IO_SECONDS


def files_of(folder):
    """Answers with the files of the folder, which is all that a static site does."""

    def script(peer, request):
        peer.read_body(request)
        path = urllib.parse.unquote(urllib.parse.urlsplit(request.target).path)
        file = folder / path.lstrip("/")
        is_there = file.is_file() and file.resolve().is_relative_to(folder.resolve())
        content = file.read_bytes() if is_there else b""
        fields = [("content-length", str(len(content))), ("content-type", "application/octet-stream")]
        peer.respond(200 if is_there else 404, fields, b"" if request.method == "HEAD" else content, reason="Any")

    return script


def git_of(folder):
    """The smart protocol, by git's own CGI program (git-http-backend(1))."""

    def script(peer, request):
        body = peer.read_body(request).body
        target = urllib.parse.urlsplit(request.target)
        variables = {
            "GIT_PROJECT_ROOT": str(folder),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REQUEST_METHOD": request.method,
            "PATH_INFO": urllib.parse.unquote(target.path),
            "QUERY_STRING": target.query,
            "CONTENT_TYPE": request.get("content-type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.get("content-encoding", ""),
            "GIT_PROTOCOL": request.get("git-protocol", ""),
            "REMOTE_USER": "somebody",
            "REMOTE_ADDR": "somewhere",
        }
        done = subprocess.run(
            ["git", "http-backend"],
            input=body,
            capture_output=True,
            env=os.environ | variables,
            timeout=IO_SECONDS,
            check=False,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = [tuple(line.split(": ", 1)) for line in head.decode("latin-1").split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for name, value in fields if name == "Status"), 200)
        peer.respond(status, [field for field in fields if field[0] != "Status"], content, reason="Any")

    return script
