"""The explicit proxy and the programs that people have: curl, openssl, git, apt-get, npm, Chromium."""

import base64
import contextlib
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile

import pytest

from harness import chromium, documents, explicit_proxy
from harness.explicit_proxy import PROXY_HOST, WWW
from harness.limits import FULL, IO_SECONDS
from harness.namespaces import FIRST
from harness.sites import files_of, git_of
from harness.surroundings import TLS, tell

USER = "alice:open-sesame"
TOOL_SECONDS = 6 * IO_SECONDS


def has(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is missing")


def environment(home, **more):
    """Nothing of what the machine says of proxies, trust and its user."""
    own = {"PATH": os.environ["PATH"], "HOME": str(home), "LC_ALL": "C.UTF-8"}
    return own | {"GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"} | more


@pytest.fixture(scope="module", name="proxies")
def make_proxies(around, outside_authority, tmp_path_factory):
    """Ports of proxies by what they ask for: "open", "users", "tls"."""
    forms = {
        "open": {},
        "users": {"sluice.io/proxy-credentials": "proxy-users"},
        "tls": {"sluice.io/proxy-credential-name": "proxy-certs"},
    }
    pair = outside_authority.issue(PROXY_HOST)
    user, password = USER.split(":")
    secrets = [
        documents.opaque_secret("proxy-certs", {"tls.crt": pair.certificate, "tls.key": pair.key}),
        documents.document(
            "Secret",
            "proxy-users",
            namespace="istio-system",
            type="kubernetes.io/basic-auth",
            stringData={"username": user, "password": password},
        ),
    ]
    around.names.records |= {f"{name}.example.com": [FIRST[0]] for name in ("www", "git", "apt", "npm")}
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(
                explicit_proxy.running(around, tmp_path_factory.mktemp(name), annotations, secrets)
            ).proxy.port
            for name, annotations in forms.items()
        }


@pytest.fixture(name="home")
def make_home(tmp_path):
    made = tmp_path / "home"
    made.mkdir()
    return made


@pytest.fixture(name="run")
def make_run(around, home):
    """run(words...) on the gateway's machine, where the proxies are: the finished process."""

    def run(*words, variables=None, **options):
        options.setdefault("cwd", home)
        return around.gateway.run(words, TOOL_SECONDS, env=environment(home, **(variables or {})), **options)

    return run


def proxy_uri(proxies, name="open"):
    return f"http://127.0.0.1:{proxies[name]}"


# --- curl ------------------------------------------------------------------------------------------


@pytest.fixture(name="curl")
def make_curl(run, outside_authority):
    return lambda *words, **options: run(
        "curl", "-sS", "--max-time", IO_SECONDS, "--cacert", outside_authority.file, *words, **options
    )


def came(shown, target="/"):
    assert shown.returncode == 0, shown
    assert shown.stdout.split()[0] == FIRST[0] and shown.stdout.endswith(f"{WWW} {target}"), shown


@pytest.mark.parametrize("options", [[], ["--proxytunnel"], ["--proxy1.0"]], ids=["absolute", "tunnel", "HTTP/1.0"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl(curl, proxies, scheme, options):
    where = f"127.0.0.1:{proxies['open']}"
    proxy = ["--proxy1.0", where] if options == ["--proxy1.0"] else ["--proxy", f"http://{where}", *options]
    came(curl(*proxy, f"{scheme}://{WWW}/a?b"), "/a?b")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_by_variables(curl, proxies, scheme):
    variables = {f"{scheme}_proxy": proxy_uri(proxies)}
    came(curl(f"{scheme}://{WWW}/", variables=variables))


def test_curl_sends_content(curl, proxies, around):
    def script(peer, request):
        peer.respond(body=hashlib.sha256(peer.read_body(request).body).hexdigest().encode())

    content = os.urandom(3_000_000)
    with around.http.answering(script), around.tls.answering(script):
        for scheme in ("http", "https"):
            shown = curl(
                *("--proxy", proxy_uri(proxies), "--data-binary", "@-", f"{scheme}://{WWW}/"),
                input=content,
                stdin=None,
                text=False,
                errors=None,
            )
            assert shown.stdout.decode() == hashlib.sha256(content).hexdigest(), shown


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("how", [[], ["--proxy-anyauth"], ["--proxy-basic"]], ids=str)
def test_curl_shows_credentials(curl, proxies, scheme, how):
    came(curl("--proxy", proxy_uri(proxies, "users"), "--proxy-user", USER, *how, f"{scheme}://{WWW}/"))


def test_curl_without_credentials_is_asked_for_them(curl, proxies):
    words = ["--proxy", proxy_uri(proxies, "users"), "-o", "/dev/null", "-w", "%{http_code} %{http_connect}"]
    assert curl(*words, f"http://{WWW}/").stdout == "407 000"
    shown = curl(*words, f"https://{WWW}/")
    assert shown.returncode == 56 and shown.stdout == "000 407", shown


def test_curl_is_told_of_unknown_names(curl, proxies):
    words = ["--proxy", proxy_uri(proxies), "-o", "/dev/null", "-w", "%{http_code} %{http_connect}"]
    assert curl(*words, "http://missing.example.com/").stdout == "503 000"
    assert curl(*words, "https://missing.example.com/").stdout == "000 503"


@pytest.fixture(name="tls_words")
def make_tls_words(proxies, outside_authority):
    port = proxies["tls"]
    return [
        *("--proxy", f"https://{PROXY_HOST}:{port}", "--proxy-cacert", outside_authority.file),
        *("--resolve", f"{PROXY_HOST}:{port}:127.0.0.1"),
    ]


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_over_tls(curl, tls_words, scheme):
    """For https TLS is in TLS."""
    came(curl(*tls_words, f"{scheme}://{WWW}/"))


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_curl_over_http2(curl, run, tls_words, scheme):
    if "--proxy-http2" not in run("curl", "--help", "all").stdout:
        pytest.skip("this curl has no --proxy-http2, which came with 8.1")
    came(curl(*tls_words, "--proxy-http2", "--proxytunnel", f"{scheme}://{WWW}/"))


def test_openssl_by_a_tunnel(run, around, proxies, outside_authority):
    def tell_and_end(peer, request):
        tell(peer, request)
        peer.close()

    with around.tls.answering(tell_and_end):
        shown = run(
            *("openssl", "s_client", "-proxy", f"127.0.0.1:{proxies['open']}", "-connect", f"{WWW}:{TLS}"),
            *("-servername", WWW, "-CAfile", outside_authority.file, "-verify_return_error", "-quiet"),
            input=f"GET /openssl HTTP/1.1\r\nHost: {WWW}\r\nConnection: close\r\n\r\n",
            stdin=None,
        )
    assert f"{WWW} /openssl" in shown.stdout, shown


# --- git -------------------------------------------------------------------------------------------


@pytest.fixture(name="repository")
def make_repository(tmp_path, home):
    """A folder with project.git, which has 200 commits or so, and a large file."""
    work, bare = tmp_path / "work", tmp_path / "served" / "project.git"

    def git(*words):
        author = {f"GIT_{who}_{what}": "x@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
        subprocess.run(
            ["git", *[str(word) for word in words]],
            env=environment(home, **author),
            check=True,
            capture_output=True,
            timeout=TOOL_SECONDS,
        )

    git("init", "-q", "-b", "main", work)
    (work / "large").write_bytes(os.urandom(2_000_000))
    git("-C", work, "add", "large")
    for index in range(20):
        git("-C", work, "commit", "-q", "--allow-empty", "-m", f"commit {index}")
    git("clone", "-q", "--bare", work, bare)
    git("-C", bare, "update-server-info")
    git("-C", bare, "config", "http.receivepack", "true")
    return bare


@pytest.mark.parametrize("serve", [files_of, git_of], ids=["dumb", "smart"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@has("git")
def test_git_clones(run, around, proxies, outside_authority, repository, home, scheme, serve):
    script = serve(repository.parent)
    options = ["-c", f"http.proxy={proxy_uri(proxies)}", "-c", f"http.sslCAInfo={outside_authority.file}"]
    with around.http.answering(script), around.tls.answering(script):
        shown = run("git", *options, "clone", "-q", f"{scheme}://git.example.com/project.git", "cloned")
    assert shown.returncode == 0, shown
    assert (home / "cloned" / "large").stat().st_size == 2_000_000
    assert run("git", "-C", "cloned", "rev-list", "--count", "HEAD").stdout == "20\n"


@has("git")
def test_git_pushes_with_credentials(run, around, proxies, repository):
    """More than git would send at once: then it is chunked (http.postBuffer of git-config(1))."""
    script = git_of(repository.parent)
    proxy = proxy_uri(proxies, "users").replace("//", f"//{USER}@")
    options = ["-c", f"http.proxy={proxy}", "-c", "user.name=x", "-c", "user.email=x@example.com"]
    with around.http.answering(script):
        assert run("git", *options, "clone", "-q", "http://git.example.com/project.git", "cloned").returncode == 0
        run("dd", "if=/dev/urandom", "of=cloned/more", "bs=1M", "count=3")
        assert run("git", "-C", "cloned", "add", "more").returncode == 0
        assert run("git", *options, "-C", "cloned", "commit", "-q", "-m", "more").returncode == 0
        shown = run("git", *options, "-C", "cloned", "push", "-q", "origin", "main")
        assert shown.returncode == 0, shown
    assert run("git", "-C", repository, "rev-list", "--count", "main").stdout == "21\n"


# --- apt-get ---------------------------------------------------------------------------------------


@pytest.fixture(name="archive")
def make_archive(tmp_path):
    """A repository with one package, as flat as can be."""
    folder, package = tmp_path / "archive", tmp_path / "package" / "DEBIAN"
    folder.mkdir()
    package.mkdir(parents=True)
    fields = {
        "Package": "outside-world",
        "Version": "1.0",
        "Architecture": "all",
        "Maintainer": "Somebody <x@example.com>",
        "Description": "a package for a test",
    }
    control = "".join(f"{name}: {value}\n" for name, value in fields.items())
    (package / "control").write_text(control)
    file = folder / "outside-world_1.0_all.deb"
    subprocess.run(
        ["dpkg-deb", "--root-owner-group", "--build", package.parent, file], check=True, capture_output=True, timeout=60
    )
    content = file.read_bytes()
    index = control + f"Filename: ./{file.name}\nSize: {len(content)}\nSHA256: {hashlib.sha256(content).hexdigest()}\n"
    (folder / "Packages").write_text(index)
    checksum = f"{hashlib.sha256(index.encode()).hexdigest()} {len(index)} Packages"
    (folder / "Release").write_text(f"Suite: here\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n {checksum}\n")
    return folder


@pytest.mark.parametrize("scheme", ["http", "https"])
@has("apt-get")
def test_apt_get_updates_and_downloads(run, around, proxies, outside_authority, archive, home, scheme):
    script = files_of(archive)
    for name in ("lists/partial", "cache/archives/partial", "etc"):
        (home / name).mkdir(parents=True)
    (home / "status").write_text("")
    (home / "etc" / "sources.list").write_text(f"deb [trusted=yes] {scheme}://apt.example.com/ ./\n")
    (home / "apt.conf").write_text(
        f"""Dir::Etc "{home}/etc";
Dir::Etc::parts "{home}/none";
Dir::Etc::sourcelist "{home}/etc/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::lists "{home}/lists";
Dir::State::status "{home}/status";
Dir::Cache "{home}/cache";
Acquire::Languages "none";
Acquire::Retries "0";
APT::Sandbox::User "root";
Acquire::http::Proxy "{proxy_uri(proxies)}";
Acquire::https::Proxy "{proxy_uri(proxies)}";
Acquire::https::CAInfo "{outside_authority.file}";
"""
    )
    variables = {"APT_CONFIG": str(home / "apt.conf")}
    with around.http.answering(script), around.tls.answering(script):
        shown = run("apt-get", "update", "--error-on=any", variables=variables)
        assert shown.returncode == 0, shown
        shown = run("apt-get", "download", "outside-world", variables=variables)
        assert shown.returncode == 0, shown
    name = "outside-world_1.0_all.deb"
    assert (home / name).read_bytes() == (archive / name).read_bytes()


# --- npm -------------------------------------------------------------------------------------------


@pytest.mark.skipif(not FULL, reason="in the long form only (SLUICE_FULL=1)")
@pytest.mark.parametrize("scheme", ["http", "https"])
@has("npm")
def test_npm_installs(run, around, proxies, outside_authority, tmp_path, home, scheme):
    """A registry of one package (https://github.com/npm/registry/blob/main/docs/REGISTRY-API.md)."""
    registry = tmp_path / "registry"
    registry.mkdir()
    package = {"name": "outside-world", "version": "1.0.0", "main": "index.js"}
    with tarfile.open(registry / "outside-world-1.0.0.tgz", "w:gz") as archive:
        for name, text in (("package.json", json.dumps(package)), ("index.js", "module.exports = 'here'\n")):
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    digest = hashlib.sha512((registry / "outside-world-1.0.0.tgz").read_bytes()).digest()
    dist = {
        "tarball": f"{scheme}://npm.example.com/outside-world-1.0.0.tgz",
        "integrity": "sha512-" + base64.b64encode(digest).decode(),
    }
    versions = {"1.0.0": package | {"dist": dist}}
    (registry / "outside-world").write_text(
        json.dumps({"name": "outside-world", "dist-tags": {"latest": "1.0.0"}, "versions": versions})
    )
    script = files_of(registry)
    with around.http.answering(script), around.tls.answering(script):
        shown = run(
            *("npm", "install", "--no-audit", "--no-fund", "--no-update-notifier", "--fetch-retries", "0"),
            *("--cache", home / "cache", "--registry", f"{scheme}://npm.example.com/"),
            *("--cafile", outside_authority.file),
            *("--proxy", proxy_uri(proxies), "--https-proxy", proxy_uri(proxies), "outside-world"),
        )
    assert shown.returncode == 0, shown
    assert "here" in (home / "node_modules" / "outside-world" / "index.js").read_text()


# --- Chromium --------------------------------------------------------------------------------------


@pytest.mark.skipif(not FULL, reason="in the long form only (SLUICE_FULL=1)")
@pytest.mark.skipif(chromium.PROGRAM is None, reason="Chromium is missing (Debian package chromium)")
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_chromium_shows_a_page(around, proxies, outside_authority, scheme):
    with around.gateway.entered():
        shown = chromium.page_by_proxy(
            f"{scheme}://{WWW}/browser", proxy_uri(proxies), trusted_pem=outside_authority.certificate
        )
    assert f"{WWW} /browser" in shown, shown
