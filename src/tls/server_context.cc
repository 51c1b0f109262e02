#include "tls/server_context.h"

#include "base/limits.h"
#include "tls/session.h"
#include "tls/ticket_binding.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/ssl.h>

#include <fmt/format.h>

#include <array>
#include <string_view>

namespace sluice::tls {
namespace {

struct FreeContext {
  void operator()(WOLFSSL_CTX* context) const noexcept { wolfSSL_CTX_free(context); }
};
using OwnedContext = std::unique_ptr<WOLFSSL_CTX, FreeContext>;

constexpr std::string_view kTls13Suites =
    "TLS13-AES128-GCM-SHA256:TLS13-AES256-GCM-SHA384:TLS13-CHACHA20-POLY1305-SHA256";
constexpr std::string_view kUsableKeys = "an RSA key of 1024 to 4096 bits or an ECDSA key on P-256, P-384 or P-521";
constexpr unsigned char kTls13SuiteByte = 0x13;  // RFC 8446 B.4: all of its suites are 0x13XX
constexpr size_t kAlpnNameBytesMax = 255;        // RFC 7301 3.1
// After a full handshake; wolfSSL gives one after a resumed one. A client uses each only once (RFC 8446 C.4),
// and with HTTP/1.1 it comes back with more than one connection at a time.
constexpr size_t kTls13Tickets = 2;

const unsigned char* as_wolfssl(const std::string& text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// wolfSSL's functions return 1, or a negative code, or 0.
std::string_view reason(int code) {
  const char* text = code < 0 ? wolfSSL_ERR_reason_error_string(static_cast<unsigned long>(code)) : nullptr;
  return text == nullptr || *text == '\0' ? "no reason given" : text;
}

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

  std::array<int, 3> groups{WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1, WOLFSSL_ECC_SECP384R1};
  if (const int code = wolfSSL_CTX_set_groups(context, groups.data(), static_cast<int>(groups.size()));
      code != WOLFSSL_SUCCESS) {
    return failure(fmt::format("the TLS library refuses the curves X25519, P-256, P-384: {}", reason(code)));
  }
  for (const std::string& name : settings.alpn) {
    if (name.empty() || name.size() > kAlpnNameBytesMax || name.contains(','))
      return failure(fmt::format("'{}' cannot be an ALPN protocol name", name));
  }
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

Status load_key_pair(WOLFSSL_CTX* context, const snapshot::KeyPair& pair) {
  if (!pair.chain_pem.contains("-----BEGIN CERTIFICATE-----"))
    return failure("tls.crt holds no PEM certificate ('-----BEGIN CERTIFICATE-----')");
  if (const int code = wolfSSL_CTX_use_certificate_chain_buffer(context, as_wolfssl(pair.chain_pem),
                                                                static_cast<long>(pair.chain_pem.size()));
      code != WOLFSSL_SUCCESS) {
    return failure(
        fmt::format("tls.crt cannot be used ({}): it must hold the server's certificate and then its intermediates, as "
                    "PEM, with {}",
                    reason(code), kUsableKeys));
  }
  // PKCS#8, and the older form of RFC 1421 with a header inside.
  const bool is_pkcs8_encrypted = pair.key_pem.contains("-----BEGIN ENCRYPTED PRIVATE KEY-----");
  if (is_pkcs8_encrypted || pair.key_pem.contains("Proc-Type: 4,ENCRYPTED")) {
    return failure(
        fmt::format("tls.key is encrypted ({}): decrypt it with 'openssl pkey -in tls.key -out plain.key' and store "
                    "plain.key as tls.key",
                    is_pkcs8_encrypted ? "ENCRYPTED PRIVATE KEY" : "Proc-Type: 4,ENCRYPTED"));
  }
  if (!pair.key_pem.contains("PRIVATE KEY-----"))
    return failure("tls.key holds no PEM private key ('-----BEGIN PRIVATE KEY-----')");
  if (const int code = wolfSSL_CTX_use_PrivateKey_buffer(context, as_wolfssl(pair.key_pem),
                                                         static_cast<long>(pair.key_pem.size()), WOLFSSL_FILETYPE_PEM);
      code != WOLFSSL_SUCCESS) {
    return failure(fmt::format("tls.key cannot be used ({}): it must be {}, as PEM", reason(code), kUsableKeys));
  }
  if (wolfSSL_CTX_check_private_key(context) != WOLFSSL_SUCCESS) {
    return failure(
        "tls.key does not belong to the first certificate of tls.crt: store a matching pair, with the server's "
        "certificate first");
  }
  return {};
}

}  // namespace

Result<std::shared_ptr<ServerContext>> ServerContext::create(const snapshot::TlsServer& server,
                                                             std::shared_ptr<TicketKeyring> keyring) {
  const snapshot::TlsSettings& settings = server.settings;
  const snapshot::KeyPair& key_pair = *server.key_pairs.at(0);
  const auto refuse = [&](const Error& error) {
    return failure(fmt::format("{}: {}", key_pair.secret_name, error.message));
  };
  Result<OwnedContext> context = new_context(settings);
  if (!context) return refuse(context.error());
  if (Status status = set_parameters(context->get(), settings); !status) return refuse(status.error());
  if (Status status = load_key_pair(context->get(), key_pair); !status) return refuse(status.error());
  Session::install_callbacks(context->get());
  const auto handshake = std::make_shared<Handshake>();
  if (keyring != nullptr && settings.client_certificates == snapshot::ClientCertificates::none) {
    if (Status status = set_ticket_parameters(context->get(), settings); !status) return refuse(status.error());
    const Result<TicketBinding> binding = ticket_binding(server);
    if (!binding) return refuse(binding.error());
    handshake->keyring = std::move(keyring);
    handshake->binding = *binding;
    Session::install_ticket_callback(context->get());
  }
  if (!key_pair.ocsp_staple.empty()) {
    Result<OcspStaple> staple = read_ocsp_staple(key_pair, std::chrono::system_clock::now());
    if (staple) {
      handshake->staple = std::move(*staple);
      if (!Session::install_staple_callback(context->get()))
        return refuse({"the TLS library refuses to staple an OCSP response"});
    }
  }
  return std::shared_ptr<ServerContext>(new ServerContext(context->release(), settings.alpn, handshake));
}

ServerContext::ServerContext(WOLFSSL_CTX* context, AlpnNames alpn, std::shared_ptr<const Handshake> handshake)
    : context_(context),
      alpn_(alpn.empty() ? nullptr : std::make_shared<const AlpnNames>(std::move(alpn))),
      handshake_(std::move(handshake)) {}

ServerContext::~ServerContext() { wolfSSL_CTX_free(context_); }

Status initialize() {
  static bool initialized = false;  // once per process, as the header says
  if (initialized) return {};
  if (wolfSSL_Init() != WOLFSSL_SUCCESS)
    return failure("initialising the TLS library failed: has the process random numbers (/dev/urandom)?");
  initialized = true;
  return {};
}

}  // namespace sluice::tls
