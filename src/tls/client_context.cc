#include "tls/client_context.h"

#include "tls/context_parts.h"
#include "tls/crypto_device.h"
#include "tls/key_pair.h"
#include "tls/session.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace sluice::tls {
namespace {

// The three of TLS 1.3 first, as for servers (tls/server_context.cc).
constexpr const char* kSuites =
    "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256:"
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

Result<OwnedContext> new_context() {
  OwnedContext context(wolfSSL_CTX_new(wolfSSLv23_client_method()));  // takes the method
  if (context == nullptr) return failure("no memory for a TLS context");
  if (wolfSSL_CTX_SetMinVersion(context.get(), WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS)
    return failure("the TLS library refuses TLS 1.2 as the lowest version");
  if (wolfSSL_CTX_set_cipher_list(context.get(), kSuites) != WOLFSSL_SUCCESS)
    return failure(fmt::format("the TLS library refuses the cipher suites {}", kSuites));
  if (Status status = set_curves(context.get()); !status) return std::unexpected(status.error());
  // RFC 8446 2.2: a resumed connection has keys of its own, which a thief of the ticket cannot compute.
  if (wolfSSL_CTX_only_dhe_psk(context.get()) != 0)
    return failure("the TLS library refuses to resume with new keys only");
  // No tickets in TLS 1.2, where wolfSSL ends the connection when a server does not take the one that it is shown
  // (RFC 5077 3.4 has it shake hands in full): session ids do not have that.
  // Not the library's session cache, which is one for all threads: Session::take_resumable() is the way.
  wolfSSL_CTX_set_session_cache_mode(context.get(), WOLFSSL_SESS_CACHE_OFF);
  return context;
}

}  // namespace

Result<std::shared_ptr<ClientContext>> ClientContext::create(const snapshot::UpstreamTls& upstream,
                                                             const std::vector<std::string>& alpn) {
  const auto refuse = [&](const Error& error) {
    return failure(fmt::format("TLS of {}: {}", upstream.name, error.message));
  };
  Result<OwnedContext> made = new_context();
  if (!made) return refuse(made.error());
  if (Status status = check_alpn_names(alpn); !status) return refuse(status.error());
  if (Status status = use_crypto_device(made->get()); !status) return refuse(status.error());
  WOLFSSL_CTX* context = made->get();
  std::shared_ptr<ClientContext> result(new ClientContext(made->release(), alpn));
  if (upstream.verifies) {
    auto verifier = PeerVerifier::create(upstream.verification, Side::server);
    if (!verifier) return refuse(verifier.error());
    result->verifier_ = std::move(*verifier);
    Session::ask_for_certificate(context, true);
  } else {
    wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_NONE, nullptr);
  }
  if (upstream.key_pair != nullptr) {
    const std::string& name = upstream.key_pair->secret_name;
    auto key = load_key_pair(context, *upstream.key_pair);
    if (!key) return refuse({fmt::format("{}: {}", name, key.error().message)});
    result->key_ = std::move(*key);
    const Result<ParsedCertificate> certificate = parse_first_certificate(upstream.key_pair->chain_pem);
    if (!certificate)
      return refuse({fmt::format("{}: {} {}", name, upstream.key_pair->chain_name, certificate.error().message)});
    result->local_certificate_ = std::make_shared<const LocalCertificate>(describe_own(*certificate));
  }
  Session::install_callbacks(context);
  return result;
}

ClientContext::ClientContext(WOLFSSL_CTX* context, const std::vector<std::string>& alpn)
    : context_(context), alpn_(fmt::format("{}", fmt::join(alpn, ","))) {}

ClientContext::~ClientContext() { wolfSSL_CTX_free(context_); }

}  // namespace sluice::tls
