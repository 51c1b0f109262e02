"""Kubernetes Services as ways out of the cluster, each document applied as it stands: names that stand for a
host outside, and addresses inside for servers outside."""

import pytest

from harness.egress import EXPLICIT, HOWS, REDIRECTED, REFUSED, reached
from harness.namespaces import FIRST, SECOND

HOST = "service.example.com"
ALIAS = "alias.default.svc.cluster.local"
CLUSTER_IP = "10.96.0.88"
NAMES = {HOST: [SECOND[0]]}

EXTERNAL_NAME = f"""apiVersion: v1
kind: Service
metadata:
  name: alias
spec:
  type: ExternalName
  externalName: {HOST}
  ports:
  - name: http
    protocol: TCP
    port: 80
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: alias
spec:
  host: {ALIAS}
  trafficPolicy:
    tls:
      mode: DISABLE
"""

OWN_ADDRESSES = f"""apiVersion: v1
kind: Service
metadata:
  name: encyclopedia
spec:
  clusterIP: {CLUSTER_IP}
  ports:
  - protocol: TCP
    port: 443
    name: tls
---
apiVersion: v1
kind: Endpoints
metadata:
  name: encyclopedia
subsets:
- addresses:
  - ip: {SECOND[0]}
  ports:
  - port: 443
    name: tls
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: encyclopedia
spec:
  host: encyclopedia.default.svc.cluster.local
  trafficPolicy:
    tls:
      mode: DISABLE
"""


@pytest.fixture(name="names", scope="module", autouse=True)
def make_names(egress_world):
    egress_world.names.records = dict(NAMES)


@pytest.mark.parametrize("name", [ALIAS, "alias.default.svc", "alias.default"])
@HOWS
def test_name_of_a_service_stands_for_a_host_outside(egress, how, name):
    sluice = egress(EXTERNAL_NAME)
    assert reached(sluice.get(how, name, "/headers")) == SECOND[0]
    assert sluice.world.http.requests[-1].get("host") == name
    assert sluice.get(how, HOST).status == 502, "by its own name it is not registered"


def test_address_of_a_service_stands_for_servers_outside(egress):
    """Clients ask these for what they are."""
    sluice = egress(OWN_ADDRESSES)
    assert reached(sluice.get_tls(REDIRECTED, HOST, address=CLUSTER_IP)) == SECOND[0]
    assert sluice.world.tls.server_names[-1] == HOST
    assert sluice.get_tls(REDIRECTED, HOST, address=FIRST[0]) == REFUSED


def test_tunnel_to_the_address_of_a_service_leads_to_servers_outside(egress):
    sluice = egress(OWN_ADDRESSES)
    assert reached(sluice.get_tls(EXPLICIT, HOST, authority=CLUSTER_IP)) == SECOND[0]
    assert sluice.get_tls(EXPLICIT, HOST, authority=FIRST[0]) == REFUSED
