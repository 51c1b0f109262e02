"""One GET by pycurl, which has libcurl with GnuTLS on Debian. A program: GnuTLS reads its settings once per process.

pycurl_get.py HOST PORT CA_FILE VERSION [CERTIFICATE_FILE KEY_FILE]: the body on stdout, what curl says on stderr.
"""

import sys

import pycurl

host, port, ca_file, version, *pair = sys.argv[1:]
minimum = getattr(pycurl, "SSLVERSION_" + version.replace(".", "_"))
maximum = getattr(pycurl, "SSLVERSION_MAX_" + version.replace(".", "_"))

request = pycurl.Curl()
request.setopt(pycurl.URL, f"https://{host}:{port}/")
request.setopt(pycurl.RESOLVE, [f"{host}:{port}:127.0.0.1"])
request.setopt(pycurl.PROXY, "")
request.setopt(pycurl.CAINFO, ca_file)
request.unsetopt(pycurl.CAPATH)  # hundreds of certificates that would be read for nothing
request.setopt(pycurl.SSLVERSION, minimum | maximum)
request.setopt(pycurl.VERBOSE, 1)
request.setopt(pycurl.TIMEOUT, 10)
if pair:
    request.setopt(pycurl.SSLCERT, pair[0])
    request.setopt(pycurl.SSLKEY, pair[1])
request.setopt(pycurl.WRITEDATA, sys.stdout.buffer)
try:
    request.perform()
except pycurl.error as error:
    sys.exit(f"curl: {error}")
