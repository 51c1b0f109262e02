"""A cluster's egress gateway, which is sluice itself: its Service, and documents that lead traffic there and on."""

import ssl

from .egress import REFUSED
from .namespaces import TO_CLIENT, TO_OUTSIDE

HOST, OTHER = "service.example.com", "other.example.com"
PLAIN_PORT, TLS_PORT = 8080, 8443  # that the gateway's pods listen on
SERVICE = "istio-egressgateway.istio-system.svc.cluster.local"
CLUSTER_IP = "10.96.0.77"


def be_kube_proxy(world):
    """The Service's address stands for the gateway itself."""
    world.gateway.ip(f"route add {CLUSTER_IP} dev to-outside")  # what is redirected needs one, too
    world.gateway.nft(f"""
table ip services {{
  chain output {{
    type nat hook output priority -100;
    ip daddr {CLUSTER_IP} tcp dport 80 redirect to :{PLAIN_PORT}
    ip daddr {CLUSTER_IP} tcp dport 443 redirect to :{TLS_PORT}
  }}
}}
""")


def gateway_service(cluster_ip="", port_name="http2"):
    return f"""apiVersion: v1
kind: Service
metadata:
  name: istio-egressgateway
  namespace: istio-system
  labels: {{app: istio-egressgateway, istio: egressgateway}}
spec:
  type: ClusterIP{f"{chr(10)}  clusterIP: {cluster_ip}" if cluster_ip else ""}
  selector:
    app: istio-egressgateway
    istio: egressgateway
  ports:
  - name: {port_name}
    port: 80
    protocol: TCP
    targetPort: {PLAIN_PORT}
  - name: https
    port: 443
    protocol: TCP
    targetPort: {TLS_PORT}
"""


POD = f"""apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata:
  name: istio-egressgateway-abcde
  namespace: istio-system
  labels:
    kubernetes.io/service-name: istio-egressgateway
addressType: IPv4
endpoints:
- addresses: ["{TO_OUTSIDE[0]}"]
  conditions: {{ready: true, serving: true, terminating: false}}
ports:
- {{name: http2, port: {PLAIN_PORT}, protocol: TCP}}
- {{name: https, port: {TLS_PORT}, protocol: TCP}}
"""

# How the Service finds the gateway: by addresses of pods, by its own address, or by its name.
INSTALLATIONS = {
    "endpoints": gateway_service(CLUSTER_IP) + "---\n" + POD,
    "address": gateway_service(CLUSTER_IP),
    "name": gateway_service(),
    "http1": gateway_service(CLUSTER_IP, port_name="http"),
}
INSTALLATION = INSTALLATIONS["endpoints"]

# What a Kyma cluster has besides, and means nothing to a gateway.
KYMA = """apiVersion: operator.kyma-project.io/v1alpha2
kind: Istio
metadata:
  name: default
  namespace: kyma-system
spec:
  components:
    egressGateway:
      enabled: true
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata:
  name: mesh-default
  namespace: istio-system
spec:
  accessLogging:
  - providers:
    - name: envoy
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: only-through-the-gateway
spec:
  podSelector: {}
  policyTypes: [Egress]
  egress:
  - to:
    - namespaceSelector:
        matchLabels:
          kubernetes.io/metadata.name: istio-system
"""


def origination_rule(mode="SIMPLE", *, port=80, **more):
    """TLS from sluice on to HOST, for what came to this port; `more` are fields of tls."""
    fields = "".join(f"\n        {name}: {value}" for name, value in more.items())
    return f"""apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: originate-tls
spec:
  host: {HOST}
  trafficPolicy:
    loadBalancer:
      simple: ROUND_ROBIN
    portLevelSettings:
    - port:
        number: {port}
      tls:
        mode: {mode}{fields}
"""


def entry(host=HOST, resolution="DNS"):
    return f"""apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata:
  name: service
spec:
  hosts:
  - "{host}"
  ports:
  - number: 80
    name: http
    protocol: HTTP
  - number: 443
    name: tls
    protocol: TLS
  resolution: {resolution}
"""


def gateway(number, protocol, tls="", host=HOST):
    return f"""apiVersion: networking.istio.io/v1
kind: Gateway
metadata:
  name: istio-egressgateway
spec:
  selector:
    istio: egressgateway
  servers:
  - port:
      number: {number}
      name: server
      protocol: {protocol}
    hosts:
    - "{host}"
{tls}"""


PASSTHROUGH = """    tls:
      mode: PASSTHROUGH
"""

SUBSET = f"""apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: egressgateway-for-service
spec:
  host: {SERVICE}
  subsets:
  - name: service
"""


def http_routes(host=HOST, port=80):
    return f"""apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: through-the-egress-gateway
spec:
  hosts:
  - "{host}"
  gateways:
  - istio-egressgateway
  - mesh
  http:
  - match:
    - gateways:
      - mesh
      port: 80
    route:
    - destination:
        host: {SERVICE}
        subset: service
        port:
          number: 80
      weight: 100
  - match:
    - gateways:
      - istio-egressgateway
      port: 80
    route:
    - destination:
        host: "{host}"
        port:
          number: {port}
      weight: 100
"""


def tls_routes(host=HOST):
    return f"""apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: through-the-egress-gateway
spec:
  hosts:
  - "{host}"
  gateways:
  - mesh
  - istio-egressgateway
  tls:
  - match:
    - gateways:
      - mesh
      port: 443
      sniHosts:
      - "{host}"
    route:
    - destination:
        host: {SERVICE}
        subset: service
        port:
          number: 443
  - match:
    - gateways:
      - istio-egressgateway
      port: 443
      sniHosts:
      - "{host}"
    route:
    - destination:
        host: "{host}"
        port:
          number: 443
      weight: 100
"""


def went_through_the_gateway(sluice, lines, port, last):
    """Both hops are in the access log, after the first `lines` lines."""
    sluice.gateway.wait_for_access_line(f" outbound|{port}|service|{SERVICE} ", start=lines)
    sluice.gateway.wait_for_access_line(f" {last} ", start=lines)


def get_from_the_gateway(sluice, host, context=None):
    """The answer to a client that has connected to the gateway, or REFUSED."""
    try:
        client = sluice.connect(TLS_PORT, host, address=TO_CLIENT[0], tls=context or sluice.trusting)
    except (ConnectionResetError, ssl.SSLEOFError):
        return REFUSED
    with client:
        return client.request("GET", "/")
