// The two HTTP ports of the operator. Status: readiness, for a kubelet and load balancers. Admin: metrics
// and what the process knows, for people, who can also have certificates obtained, renewed and revoked; bound to the
// loopback address unless told otherwise. All else only reads, and answers GET and HEAD.
#pragma once

#include "base/result.h"
#include "control/process_state.h"
#include "web/server.h"

#include <memory>

namespace sluice::control {

// GET /healthz/ready: 200 exactly while serving, else 503. `state` must outlive the server.
[[nodiscard]] Result<std::unique_ptr<web::Server>> start_status_server(const SocketAddress& address,
                                                                       const ProcessState& state);

// GET /, /ready, /stats/prometheus, /config_dump, /routes, /explain, /certs; POST /certs/issue, /certs/renew,
// /certs/revoke.
[[nodiscard]] Result<std::unique_ptr<web::Server>> start_admin_server(const SocketAddress& address,
                                                                      const ProcessState& state);

}  // namespace sluice::control
