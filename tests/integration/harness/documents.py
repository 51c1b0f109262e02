"""The documents that tests write: Gateway, Service, Secret, VirtualService, ServiceEntry, as an operator has them."""

import json
import re

from . import certificates, ports

DOMAIN = "local.kyma.dev"
GATEWAY = "kyma-system/kyma-gateway"
PLAIN_GATEWAY = "kyma-system/plain-gateway"
CIPHER_SUITES = (
    "ECDHE-RSA-CHACHA20-POLY1305",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-SHA",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES128-SHA",
)


def join(*documents):
    return "---\n".join(documents)


_API_VERSIONS = {"Secret": "v1", "ConfigMap": "v1", "Service": "v1", "APIRule": "gateway.kyma-project.io/v2"}


def document(kind, name, spec=None, *, namespace="default", annotations=None, **top):
    """Any document, as JSON: a part of YAML that needs no care for indentation."""
    metadata = {"name": name, "namespace": namespace} | ({"annotations": annotations} if annotations else {})
    content = {"apiVersion": _API_VERSIONS.get(kind, "networking.istio.io/v1"), "kind": kind, "metadata": metadata}
    return json.dumps(content | ({} if spec is None else {"spec": spec}) | top, indent=1) + "\n"


def gateway(name, *servers, annotations=None):
    spec = {"selector": {"istio": "ingressgateway"}, "servers": list(servers)}
    return document("Gateway", name, spec, namespace="kyma-system", annotations=annotations)


def server(number, protocol, hosts, tls=None, *, name=None):
    """One of gateway()."""
    port = {"number": number, "name": name or f"{protocol}-{number}-{hosts[0].replace('*', 'any')}".lower()}
    return {"port": port | {"protocol": protocol}, "hosts": list(hosts)} | ({"tls": tls} if tls else {})


def opaque_secret(name, data, namespace="istio-system"):
    """`data`: key -> text."""
    return document("Secret", name, namespace=namespace, type="Opaque", stringData=data)


def mesh(annotations=None, **fields):
    """The ConfigMap with MeshConfig."""
    data = {"mesh": json.dumps(fields)}
    return document("ConfigMap", "istio", namespace="istio-system", annotations=annotations, data=data)


def mesh_config(**topology):
    """The ConfigMap with MeshConfig, of which `topology` is the gatewayTopology."""
    return mesh(defaultConfig={"gatewayTopology": topology})


def tcp_service_entry(name, port, number=9000, protocol="TCP"):
    """The service `name`.upstream.test, port `number`, whose endpoint listens on `port` of the loopback interface."""
    spec = {
        "hosts": [f"{name}.upstream.test"],
        "ports": [{"number": number, "name": "any", "protocol": protocol}],
        "location": "MESH_INTERNAL",
        "resolution": "STATIC",
        "endpoints": [{"address": ports.LOOPBACK, "ports": {"any": port}}],
    }
    return document("ServiceEntry", name, spec)


def connection_route(name, match=None, number=9000):
    """One of a VirtualService's tls or tcp routes: everything to `name`.upstream.test."""
    where = {"match": [match]} if match else {}
    return where | {"route": [{"destination": {"host": f"{name}.upstream.test", "port": {"number": number}}}]}


def destination_rule(name, tls):
    """TLS to the service `name`.upstream.test."""
    return document("DestinationRule", name, {"host": f"{name}.upstream.test", "trafficPolicy": {"tls": tls}})


def service(port_map):
    """The gateway's own Service: `port_map` is Gateway port -> port that is bound."""
    lines = "".join(
        f"  - name: port-{port}\n    port: {port}\n    targetPort: {target}\n" for port, target in port_map.items()
    )
    return (
        "apiVersion: v1\nkind: Service\nmetadata:\n  name: istio-ingressgateway\n  namespace: istio-system\n"
        "spec:\n  selector:\n    app: istio-ingressgateway\n    istio: ingressgateway\n  ports:\n" + lines
    )


def kyma_gateway(domain=DOMAIN, credential="kyma-gateway-certs"):
    """Word for word the kyma-gateway of Kyma 2.1 to 2.16."""
    suites = "".join(f"      - {suite}\n" for suite in CIPHER_SUITES)
    return f"""apiVersion: networking.istio.io/v1alpha3
kind: Gateway
metadata:
  name: kyma-gateway
  namespace: kyma-system
spec:
  selector:
    app: istio-ingressgateway
    istio: ingressgateway # use istio default ingress gateway
  servers:
  - port:
      number: 443
      name: https
      protocol: HTTPS
    tls:
      mode: SIMPLE
      credentialName: {credential}
      minProtocolVersion: TLSV1_2
      cipherSuites:
{suites}    hosts:
      - "*.{domain}"
  - port:
      number: 80
      name: http
      protocol: HTTP
    tls:
      httpsRedirect: true # automatic 301 redirect from http to https
    hosts:
      - "*.{domain}"
"""


def kyma_gateway_of_today():
    """What Kyma's operator writes: neither a least version nor a list of suites."""
    return re.sub(r" +minProtocolVersion: .*\n +cipherSuites:\n( +- ECDHE.*\n)+", "", kyma_gateway())


def plain_gateway(number=8080, hosts=("*",), name="plain-gateway"):
    """An HTTP server without redirect, for everything that is said in the clear."""
    lines = "".join(f'    - "{host}"\n' for host in hosts)
    return f"""apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: {name}
  namespace: kyma-system
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: {number}
      name: http-{number}
      protocol: HTTP
    hosts:
{lines}"""


def https_gateway(name, hosts, credential, number=443):
    """One more HTTPS server."""
    lines = "".join(f'    - "{host}"\n' for host in hosts)
    return f"""apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: {name}
  namespace: kyma-system
spec:
  selector:
    istio: ingressgateway
  servers:
  - port:
      number: {number}
      name: https-{name}
      protocol: HTTPS
    tls:
      mode: SIMPLE
      credentialName: {credential}
    hosts:
{lines}"""


def secret(pair, name="kyma-gateway-certs", namespace="istio-system", *, key=None):
    return f"""apiVersion: v1
kind: Secret
metadata:
  name: {name}
  namespace: {namespace}
type: kubernetes.io/tls
data:
  tls.crt: {certificates.base64_of(pair.certificate)}
  tls.key: {certificates.base64_of(key or pair.key)}
"""


def service_entry(name, *endpoint_ports, protocol="HTTP"):
    """The service `name`.upstream.test, port 80, whose endpoints listen on these ports of the loopback interface."""
    endpoints = "".join(f"  - address: {ports.LOOPBACK}\n    ports:\n      http: {port}\n" for port in endpoint_ports)
    return f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: {name}
  namespace: default
spec:
  hosts:
  - {name}.upstream.test
  ports:
  - number: 80
    name: http
    protocol: {protocol}
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints:{" []" if not endpoints else ""}
{endpoints}"""


def header_routes(name, hosts, headers, *destinations, gateways=(GATEWAY, PLAIN_GATEWAY)):
    """A VirtualService whose one route changes fields. `destinations`: names of service_entry(), or (name, headers)."""
    route = [
        {"destination": {"host": f"{to}.upstream.test", "port": {"number": 80}}, "weight": 1, "headers": of_it}
        for to, of_it in ((each, {}) if isinstance(each, str) else each for each in destinations)
    ]
    spec = {"hosts": list(hosts), "gateways": list(gateways), "http": [{"headers": headers, "route": route}]}
    return document("VirtualService", name, spec)


def destination(name, weight=None):
    text = f"    - destination:\n        host: {name}.upstream.test\n        port:\n          number: 80\n"
    return text + (f"      weight: {weight}\n" if weight is not None else "")


def http_rule(*destinations, match=""):
    """One rule of a VirtualService: `match` is the text below "match:", `destinations` names or destination()s."""
    where = f"  - match:\n{match}    route:\n" if match else "  - route:\n"
    return where + "".join(text if "\n" in text else destination(text) for text in destinations)


def virtual_service(name, hosts, rules, gateways=(GATEWAY, PLAIN_GATEWAY)):
    """`rules`: texts of http_rule(), or the name of the one destination."""
    if isinstance(rules, str):
        rules = [http_rule(rules)]
    host_lines = "".join(f'  - "{host}"\n' for host in hosts)
    gateway_lines = "".join(f"  - {gateway}\n" for gateway in gateways)
    return f"""apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: {name}
  namespace: default
spec:
  hosts:
{host_lines}  gateways:
{gateway_lines}  http:
{"".join(rules)}"""


def virtual_service_of(rules, host, gateways=(PLAIN_GATEWAY,)):
    """The VirtualService app for one host. `rules`: the text of the list below "http:", at least one space deep."""
    return f"""apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {{name: app}}
spec:
  hosts: ["{host}"]
  gateways: [{", ".join(gateways)}]
  http:{rules}"""


def routes(name, upstream_port, *, protocol="HTTP"):
    """What leads `name`.local.kyma.dev to a port of the loopback interface."""
    entry = service_entry(name, upstream_port, protocol=protocol)
    return join(entry, virtual_service(name, [f"{name}.{DOMAIN}"], name))


def kyma_texts(certificate):
    """The files that every gateway of the suite begins with: kyma-gateway, a plain gateway on 8080, the Secret."""
    return {"gateway.yaml": join(kyma_gateway(), plain_gateway()), "secret.yaml": secret(certificate)}
