#include "tls/server_context.h"

#include "base/check.h"
#include "base/limits.h"
#include "tls/context_parts.h"
#include "tls/crypto_device.h"
#include "tls/key_pair.h"
#include "tls/parsed_certificate.h"
#include "tls/random_source.h"
#include "tls/session.h"
#include "tls/ticket_binding.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>

namespace sluice::tls {
namespace {

constexpr std::string_view kTls13Suites =
    "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256";
constexpr unsigned char kTls13SuiteByte = 0x13;  // RFC 8446 B.4: all of its suites are 0x13XX
// After a full handshake; wolfSSL gives one after a resumed one. A client uses each only once (RFC 8446 C.4),
// and with HTTP/1.1 it comes back with more than one connection at a time.
constexpr size_t kTls13Tickets = 2;

Result<OwnedContext> new_context(const snapshot::TlsSettings& settings) {
  using snapshot::TlsVersion;
  if (settings.min_version > settings.max_version)
    return failure("minProtocolVersion is higher than maxProtocolVersion: no client could connect");
  // The method of a single version never downgrades; the general one goes down to what SetMinVersion says.
  const bool only_1_2 = settings.max_version == TlsVersion::tls_1_2;
  const bool only_1_3 = settings.min_version == TlsVersion::tls_1_3;
  WOLFSSL_METHOD* method = only_1_2   ? wolfTLSv1_2_server_method()
                           : only_1_3 ? wolfTLSv1_3_server_method()
                                      : wolfSSLv23_server_method();
  OwnedContext context(wolfSSL_CTX_new(method));  // takes the method
  if (context == nullptr) return failure("no memory for a TLS context");
  if (!only_1_2 && !only_1_3 && wolfSSL_CTX_SetMinVersion(context.get(), WOLFSSL_TLSV1_2) != WOLFSSL_SUCCESS) {
    return failure("the TLS library refuses TLS 1.2 as the lowest version");
  }
  return context;
}

// The names of wolfSSL, which are OpenSSL's; IANA's names are translated. The suites of TLS 1.3 come
// first: wolfSSL takes the first one of this list that the client offers, whatever the version, and then
// gives up when it is not one of TLS 1.3. For TLS 1.2 it skips them.
Result<std::string> cipher_list(const snapshot::TlsSettings& settings) {
  std::string list;
  if (settings.max_version == snapshot::TlsVersion::tls_1_3) list = kTls13Suites;
  if (settings.min_version == snapshot::TlsVersion::tls_1_2) {
    if (settings.cipher_suites.empty()) return failure("the list of TLS 1.2 cipher suites is empty");
    for (const std::string& name : settings.cipher_suites) {
      unsigned char first = 0;
      unsigned char second = 0;
      int flags = 0;
      // A colon would end the name for wolfSSL.
      if (name.empty() || name.contains(':') ||
          wolfSSL_get_cipher_suite_from_name(name.c_str(), &first, &second, &flags) != 0) {
        return failure(
            fmt::format("cipher suite '{}' is not supported: use OpenSSL's names of ephemeral suites, for example "
                        "ECDHE-RSA-AES128-GCM-SHA256",
                        name));
      }
      if (first == kTls13SuiteByte) {
        return failure(
            fmt::format("cipher suite '{}' belongs to TLS 1.3, whose suites are not configured (all three are always "
                        "on): remove it",
                        name));
      }
      if (!list.empty()) list += ':';
      list += wolfSSL_get_cipher_name_from_suite(first, second);
    }
  }
  return list;
}

Status set_parameters(WOLFSSL_CTX* context, const snapshot::TlsSettings& settings) {
  const Result<std::string> suites = cipher_list(settings);
  if (!suites) return std::unexpected(suites.error());
  if (wolfSSL_CTX_set_cipher_list(context, suites->c_str()) != WOLFSSL_SUCCESS)
    return failure(fmt::format("the TLS library refuses the cipher suites {}", *suites));

  if (Status status = set_curves(context); !status) return status;
  if (Status status = check_alpn_names(settings.alpn); !status) return status;
  // The library's session cache is one for all threads, and by id, which other processes do not know.
  wolfSSL_CTX_set_session_cache_mode(context, WOLFSSL_SESS_CACHE_OFF);
  return {};
}

// Without this there are no tickets: wolfSSL is built without a callback of its own.
Status set_ticket_parameters(WOLFSSL_CTX* context, const snapshot::TlsSettings& settings) {
  constexpr auto lifetime = std::chrono::floor<std::chrono::seconds>(limits::session_lifetime);
  // The keyring refuses what is too old. Were it wolfSSL that refuses, a TLS 1.2 client would get no new
  // ticket; wolfSSL's own limit is only there because its default is 500 s.
  if (wolfSSL_CTX_set_TicketHint(context, static_cast<int>(lifetime.count())) != WOLFSSL_SUCCESS ||
      wolfSSL_CTX_set_timeout(context, static_cast<unsigned>(2 * lifetime.count())) != WOLFSSL_SUCCESS) {
    return failure("the TLS library refuses the lifetime of session tickets");
  }
  if (settings.max_version == snapshot::TlsVersion::tls_1_3 &&
      wolfSSL_CTX_set_num_tickets(context, kTls13Tickets) != WOLFSSL_SUCCESS) {
    return failure("the TLS library refuses the number of session tickets");
  }
  return {};
}

uint8_t curve_of(const ParsedCertificate& certificate) noexcept {
  if (certificate.key_type == "ECDSA-P256") return kCurveP256;
  if (certificate.key_type == "ECDSA-P384") return kCurveP384;
  return certificate.key_type == "ECDSA-P521" ? kCurveP521 : 0;
}

std::optional<uint16_t> suite_number(const std::string& name) {
  unsigned char first = 0;
  unsigned char second = 0;
  int flags = 0;
  if (wolfSSL_get_cipher_suite_from_name(name.c_str(), &first, &second, &flags) != 0) return std::nullopt;
  return static_cast<uint16_t>(first << 8 | second);
}

// Null: there is none, or it is of no use, which control/ has said.
std::shared_ptr<const OcspStaple> make_staple(const snapshot::KeyPair& key_pair) {
  if (key_pair.ocsp_staple.empty()) return nullptr;
  Result<OcspStaple> staple = read_ocsp_staple(key_pair, std::chrono::system_clock::now());
  return staple ? std::make_shared<const OcspStaple>(std::move(*staple)) : nullptr;
}

// Null: certificates are not asked for.
Result<std::shared_ptr<const PeerVerifier>> make_verifier(const snapshot::TlsSettings& settings) {
  if (settings.client_certificates == snapshot::ClientCertificates::none) return nullptr;
  if (!settings.client_verification) return failure("clients must show certificates, but no CA certificates are named");
  return PeerVerifier::create(*settings.client_verification, Side::client);
}

}  // namespace

Result<std::shared_ptr<ServerContext>> ServerContext::create(const snapshot::TlsServer& server,
                                                             std::shared_ptr<TicketKeyring> keyring) {
  const snapshot::TlsSettings& settings = server.settings;
  std::shared_ptr<ServerContext> context(new ServerContext(settings));
  if (keyring != nullptr && settings.client_certificates == snapshot::ClientCertificates::none) {
    const Result<TicketBinding> binding = ticket_binding(server);
    if (!binding) return std::unexpected(binding.error());
    context->tickets_ = std::make_shared<const Tickets>(std::move(keyring), *binding);
  }
  for (const auto& key_pair : server.key_pairs) {
    if (Status status = context->add_pair(settings, *key_pair); !status)
      return failure(fmt::format("{}: {}", key_pair->secret_name, status.error().message));
  }
  CHECK(!context->pairs_.empty());
  auto verifier = make_verifier(settings);
  if (!verifier) return std::unexpected(verifier.error());  // names its own source
  context->verifier_ = std::move(*verifier);
  return context;
}

Status ServerContext::add_pair(const snapshot::TlsSettings& settings, const snapshot::KeyPair& key_pair) {
  Result<OwnedContext> context = new_context(settings);
  if (!context) return std::unexpected(context.error());
  if (Status status = set_parameters(context->get(), settings); !status) return status;
  if (Status status = use_crypto_device(context->get()); !status) return status;
  auto key = load_key_pair(context->get(), key_pair);
  if (!key) return std::unexpected(key.error());
  Result<ParsedCertificate> certificate = parse_first_certificate(key_pair.chain_pem);
  // What certs/self_signed.h makes for challenges; no request comes over such a connection that would show it.
  if (!certificate && key_pair.is_challenge) certificate = ParsedCertificate{.key_type = "ECDSA-P256"};
  if (!certificate) return failure(fmt::format("{} {}", key_pair.chain_name, certificate.error().message));
  Session::install_callbacks(context->get());
  if (settings.client_certificates != snapshot::ClientCertificates::none) {
    Session::ask_for_certificate(context->get(),
                                 settings.client_certificates == snapshot::ClientCertificates::required);
  }
  if (tickets_ != nullptr) {
    if (Status status = set_ticket_parameters(context->get(), settings); !status) return status;
    Session::install_ticket_callback(context->get());
  }
  std::shared_ptr<const OcspStaple> staple = make_staple(key_pair);
  if (staple != nullptr && !Session::install_staple_callback(context->get()))
    return failure("the TLS library refuses to staple an OCSP response");
  const uint8_t curve = curve_of(*certificate);
  pairs_.insert(curve != 0 ? pairs_.begin() : pairs_.end(),
                {.context = context->release(),
                 .key = std::move(*key),
                 .local_certificate = std::make_shared<const LocalCertificate>(describe_own(*certificate)),
                 .staple = std::move(staple),
                 .curve = curve});
  return {};
}

ServerContext::ServerContext(const snapshot::TlsSettings& settings)
    : has_tls_1_2_(settings.min_version == snapshot::TlsVersion::tls_1_2),
      has_tls_1_3_(settings.max_version == snapshot::TlsVersion::tls_1_3),
      alpn_(settings.alpn.empty() ? nullptr : std::make_shared<const AlpnNames>(settings.alpn)) {
  for (const std::string& name : settings.cipher_suites) {
    const std::optional<uint16_t> number = suite_number(name);
    const auto found = number ? std::ranges::find(kEcdsaSuites, *number) : kEcdsaSuites.end();
    if (found != kEcdsaSuites.end())
      ecdsa_suites_ = static_cast<uint8_t>(ecdsa_suites_ | 1U << (found - kEcdsaSuites.begin()));
  }
}

ServerContext::~ServerContext() {
  for (const Pair& pair : pairs_) wolfSSL_CTX_free(pair.context);
}

// Of an ECDSA key; RSA keys are left to wolfSSL, which says what is missing.
bool ServerContext::can_use(const Pair& pair, const ClientHello& hello) const noexcept {
  if (has_tls_1_3_ && hello.offers_tls_1_3) return (hello.ecdsa_curves & pair.curve) != 0;
  // RFC 8422 5.3: the curve of the key must be one that the client knows; the hash of a signature is not bound to it.
  return has_tls_1_2_ && (hello.ecdsa_suites & ecdsa_suites_) != 0 && hello.ecdsa_curves != 0 &&
         (hello.curves & pair.curve) != 0;
}

const ServerContext::Pair& ServerContext::choose(const ClientHello& hello) const noexcept {
  for (const Pair& pair : pairs_) {
    if (pair.curve != 0 && can_use(pair, hello)) return pair;
  }
  return pairs_.back();
}

Status initialize() {
  static bool initialized = false;  // once per process, as the header says
  if (initialized) return {};
  if (wolfSSL_Init() != WOLFSSL_SUCCESS)
    return failure("initialising the TLS library failed: has the process random numbers (/dev/urandom)?");
  if (Status status = register_crypto_device(); !status) return status;
  wolfSSL_ThreadRng = RandomSource::of_thread;  // of all sessions
  initialized = true;
  return {};
}

}  // namespace sluice::tls
