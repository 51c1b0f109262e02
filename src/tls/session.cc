#include "tls/session.h"

#include "base/check.h"
#include "base/limits.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <new>
#include <utility>

// Not in wolfSSL's headers, but in its (static) library: the only way to tell the client why, for the
// errors about which wolfSSL itself says nothing unless it is built with WOLFSSL_EXTRA_ALERTS. Works in
// every state of the connection: encrypted exactly when records of ours are.
extern "C" int SendAlert(WOLFSSL* ssl, int severity, int type);

namespace sluice::tls {
namespace {

constexpr int kFatal = 2;              // AlertLevel, RFC 8446 6
constexpr int kRefuseClientHello = 2;  // fatal_return of wolfSSL's servername callback
constexpr int kAcceptClientHello = 0;

bool is_offered(std::string_view offered, std::string_view name) noexcept {
  while (true) {
    const size_t comma = offered.find(',');
    if (offered.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    offered.remove_prefix(comma + 1);
  }
}

bool use_alpn(WOLFSSL* ssl, const std::string& name) noexcept {
  return wolfSSL_UseALPN(ssl, const_cast<char*>(name.c_str()), static_cast<unsigned>(name.size()),
                         WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
}

}  // namespace

// For the time of one call into wolfSSL, its callbacks know the caller's bytes.
class Session::Call {
 public:
  Call(Session& session, ConstBytes* input, ByteSink output) noexcept : session_(session) {
    DCHECK(session.output_.owner == nullptr);  // not re-entrant
    session.input_ = input;
    session.output_ = output;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    session_.input_ = nullptr;
    session_.output_ = {};
  }

 private:
  Session& session_;
};

// --- Callbacks -------------------------------------------------------------------------------------

void Session::install_callbacks(WOLFSSL_CTX* context) noexcept {
  wolfSSL_CTX_SetIORecv(context, on_receive);
  wolfSSL_CTX_SetIOSend(context, on_send);
  wolfSSL_CTX_set_servername_callback(context, on_client_hello);
}

void Session::install_ticket_callback(WOLFSSL_CTX* context) noexcept {
  wolfSSL_CTX_set_TicketEncCb(context, on_ticket);
}

// The second call replaces the look-up over the network that the first one brings.
bool Session::install_staple_callback(WOLFSSL_CTX* context) noexcept {
  return wolfSSL_CTX_EnableOCSPStapling(context) == WOLFSSL_SUCCESS &&
         wolfSSL_CTX_SetOCSP_Cb(context, on_staple, nullptr, nullptr) == WOLFSSL_SUCCESS;
}

// wolfSSL asks for exactly what the current record needs, so that nothing of the next one is taken.
int Session::on_receive(WOLFSSL* /*ssl*/, char* buffer, int size, void* session) {
  ConstBytes* input = static_cast<Session*>(session)->input_;
  if (input == nullptr || input->empty() || size <= 0) return WOLFSSL_CBIO_ERR_WANT_READ;
  const size_t taken = std::min(static_cast<size_t>(size), input->size());
  std::memcpy(buffer, input->data(), taken);
  *input = input->subspan(taken);
  return static_cast<int>(taken);
}

int Session::on_send(WOLFSSL* /*ssl*/, char* buffer, int size, void* session) {
  const ByteSink& output = static_cast<Session*>(session)->output_;
  if (output.owner == nullptr || size < 0) return WOLFSSL_CBIO_ERR_GENERAL;
  output.append(as_bytes({buffer, static_cast<size_t>(size)}));
  return size;
}

// Called when the extensions of a ClientHello are parsed, with or without a server name. wolfSSL would
// choose the protocol by the client's order of preference; it is given only the one that we choose, and has
// had the first name since accept(): if that is not chosen, the client does not offer it.
int Session::on_client_hello(WOLFSSL* ssl, int* alert, void* /*unused*/) {
  auto& session = *static_cast<Session*>(wolfSSL_GetIOReadCtx(ssl));
  // Null also in the second ClientHello after a HelloRetryRequest: the choice stands.
  const auto names = std::exchange(session.alpn_names_, nullptr);
  if (names == nullptr) return kAcceptClientHello;

  char* offered = nullptr;  // comma-separated
  unsigned short offered_size = 0;
  if (wolfSSL_ALPN_GetPeerProtocol(ssl, &offered, &offered_size) != WOLFSSL_SUCCESS) return kAcceptClientHello;
  const auto chosen =
      std::ranges::find_if(*names, [&](const std::string& name) { return is_offered({offered, offered_size}, name); });
  wolfSSL_ALPN_FreePeerProtocol(ssl, &offered);

  // Without a protocol in common the first name stays alone: wolfSSL compares it again, and sends the alert.
  if (chosen == names->end() || chosen == names->begin() || use_alpn(ssl, *chosen)) return kAcceptClientHello;
  *alert = static_cast<int>(Alert::internal_error);
  return kRefuseClientHello;
}

// wolfSSL copies what it is given (scripts/wolfssl.patch).
int Session::on_staple(void* ssl, const char* /*url*/, int /*url_size*/, unsigned char* /*request*/,
                       int /*request_size*/, unsigned char** staple) {
  const auto& session = *static_cast<Session*>(wolfSSL_GetIOReadCtx(static_cast<WOLFSSL*>(ssl)));
  if (session.parts_ == nullptr || !session.parts_->staple) return 0;
  const OcspStaple& given = *session.parts_->staple;
  if (std::chrono::system_clock::now() >= given.good_until) return 0;
  *staple = reinterpret_cast<unsigned char*>(const_cast<char*>(given.der.data()));
  return static_cast<int>(given.der.size());
}

// Seals a new ticket, or opens the client's. Returning anything but "ok" from sealing ends the handshake.
int Session::on_ticket(WOLFSSL* ssl, unsigned char* name, unsigned char* iv, unsigned char* mac, int seals,
                       unsigned char* ticket, int size, int* new_size, void* /*unused*/) {
  auto& session = *static_cast<Session*>(wolfSSL_GetIOReadCtx(ssl));
  if (session.parts_ == nullptr || session.parts_->keyring == nullptr || size < 0) return WOLFSSL_TICKET_RET_REJECT;
  const std::shared_ptr<TicketKeyring>& keyring = session.parts_->keyring;
  const TicketBinding& binding = session.parts_->binding;
  const TicketFields fields{
      .name = std::span<std::byte, ticket_name_bytes>(reinterpret_cast<std::byte*>(name), ticket_name_bytes),
      .iv = std::span<std::byte, ticket_iv_bytes>(reinterpret_cast<std::byte*>(iv), ticket_iv_bytes),
      .mac = std::span<std::byte, ticket_mac_bytes>(reinterpret_cast<std::byte*>(mac), ticket_mac_bytes)};
  const MutableBytes bytes(reinterpret_cast<std::byte*>(ticket), static_cast<size_t>(size));
  const WallTime now = std::chrono::system_clock::now();

  if (seals != 0) {
    // *new_size is the room that the buffer has in all.
    const MutableBytes buffer(bytes.data(), static_cast<size_t>(std::max(*new_size, size)));
    const WallTime since = wolfSSL_session_reused(ssl) == 1 ? session.authenticated_at_ : now;
    if (!keyring->seal(binding, since, now, fields, buffer, bytes.size())) return WOLFSSL_TICKET_RET_FATAL;
    *new_size = static_cast<int>(TicketKeyring::sealed_bytes(bytes.size()));
    return WOLFSSL_TICKET_RET_OK;
  }

  const TicketKeyring::Opened opened = keyring->open(binding, now, fields, bytes);
  if (opened.status == TicketKeyring::OpenStatus::rejected) return WOLFSSL_TICKET_RET_REJECT;
  session.authenticated_at_ = opened.authenticated_at;
  *new_size = static_cast<int>(opened.state_size);
  // In TLS 1.3 every resumed session gets a new ticket, and "create" would mean that this one is not taken.
  const bool renews =
      opened.status == TicketKeyring::OpenStatus::opened_by_previous_key && wolfSSL_GetVersion(ssl) == WOLFSSL_TLSV1_2;
  return renews ? WOLFSSL_TICKET_RET_CREATE : WOLFSSL_TICKET_RET_OK;
}

// --- The engine ------------------------------------------------------------------------------------

std::unique_ptr<Session> Session::accept(ServerContext& context) {
  std::unique_ptr<Session> session(new (std::nothrow) Session(context));
  if (session == nullptr) return nullptr;
  session->ssl_ = wolfSSL_new(context.context_);
  if (session->ssl_ == nullptr) return nullptr;
  wolfSSL_SetIOReadCtx(session->ssl_, session.get());
  wolfSSL_SetIOWriteCtx(session->ssl_, session.get());
  // Before the ClientHello: an extension that is new after it would stand in front of pre_shared_key, which
  // wolfSSL wants to be the first of its list (the last that was received), or it refuses to resume.
  if (session->alpn_names_ != nullptr && !use_alpn(session->ssl_, session->alpn_names_->front())) return nullptr;
  return session;
}

Session::~Session() { wolfSSL_free(ssl_); }

SessionStatus Session::handshake(ConstBytes& input, ByteSink output) {
  CHECK(!handshake_done_);
  if (failed_) return SessionStatus::failed;
  const Call call(*this, &input, output);
  const size_t available = input.size();
  const int result = wolfSSL_accept(ssl_);
  if (result == WOLFSSL_SUCCESS) {
    handshake_done_ = true;
    resumed_ = wolfSSL_session_reused(ssl_) == 1;
    alpn_names_ = nullptr;
    parts_ = nullptr;
    silent_bytes_ = 0;
    return SessionStatus::ok;
  }
  const SessionStatus status = on_result(result, available - input.size());
  if (status == SessionStatus::closed) error_text_ = "the client closed the connection in the middle of the handshake";
  return status;
}

Session::ReadResult Session::read(ConstBytes& input, MutableBytes plaintext, ByteSink output) {
  CHECK(handshake_done_ && !plaintext.empty());
  if (failed_) return {SessionStatus::failed};
  const Call call(*this, &input, output);
  const size_t available = input.size();
  const int size = static_cast<int>(std::min<size_t>(plaintext.size(), INT_MAX));
  const int result = wolfSSL_read(ssl_, plaintext.data(), size);
  if (result > 0) {
    silent_bytes_ = 0;
    return {SessionStatus::ok, static_cast<size_t>(result)};
  }
  return {on_result(result, available - input.size())};
}

size_t Session::pending_bytes() const noexcept { return static_cast<size_t>(std::max(wolfSSL_pending(ssl_), 0)); }

bool Session::write(ConstBytes plaintext, ByteSink output) {
  CHECK(handshake_done_);
  if (failed_ || close_sent_) return false;
  const Call call(*this, nullptr, output);
  while (!plaintext.empty()) {
    const ConstBytes record = plaintext.first(std::min(plaintext.size(), limits::tls_plaintext_bytes));
    const int result = wolfSSL_write(ssl_, record.data(), static_cast<int>(record.size()));
    if (result != static_cast<int>(record.size())) {
      fail(wolfSSL_get_error(ssl_, result));
      return false;
    }
    plaintext = plaintext.subspan(record.size());
  }
  return true;
}

void Session::close(ByteSink output) {
  if (failed_ || std::exchange(close_sent_, true)) return;
  const Call call(*this, nullptr, output);
  // The result says whether the client has closed too, which read() tells.
  wolfSSL_shutdown(ssl_);
}

// --- How a call ended ------------------------------------------------------------------------------

SessionStatus Session::on_result(int result, size_t consumed) {
  switch (const int error = wolfSSL_get_error(ssl_, result); error) {
    case WOLFSSL_ERROR_WANT_READ:
      silent_bytes_ += consumed;
      if (silent_bytes_ <= limits::tls_silent_bytes_max) return SessionStatus::need_input;
      // A flood of key updates or empty records costs the client nothing and us a key derivation each.
      return fail({"the client sent too many TLS records without any content", Alert::unexpected_message});
    case WOLFSSL_ERROR_ZERO_RETURN: return SessionStatus::closed;
    default: return fail(error);  // describe_failure() lists what is expected
  }
}

SessionStatus Session::fail(int error) {
  WOLFSSL_ALERT_HISTORY alerts{};
  wolfSSL_get_alert_history(ssl_, &alerts);
  if (error != FATAL_ERROR || alerts.last_rx.code <= 0) return fail(describe_failure(error));
  failed_ = true;
  error_text_ = describe_received_alert(alerts.last_rx.code);
  return SessionStatus::failed;
}

SessionStatus Session::fail(const Failure& failure) {
  failed_ = true;
  error_text_ = failure.text;
  WOLFSSL_ALERT_HISTORY alerts{};
  wolfSSL_get_alert_history(ssl_, &alerts);
  if (alerts.last_tx.level != kFatal) SendAlert(ssl_, kFatal, static_cast<int>(failure.alert));
  return SessionStatus::failed;
}

// --- What was negotiated ---------------------------------------------------------------------------

std::string_view Session::protocol_version() const noexcept {
  if (!handshake_done_) return {};
  switch (wolfSSL_GetVersion(ssl_)) {
    case WOLFSSL_TLSV1_2: return "TLSv1.2";
    case WOLFSSL_TLSV1_3: return "TLSv1.3";
    default: return {};  // create() allows no other
  }
}

std::string_view Session::cipher_suite() const noexcept {
  if (!handshake_done_) return {};
  const int suite = wolfSSL_get_current_cipher_suite(ssl_);
  const auto first = static_cast<unsigned char>(suite >> 8);
  const auto second = static_cast<unsigned char>(suite);
  // OpenSSL uses IANA's names for the suites of TLS 1.3, where wolfSSL has its own, and the same ones
  // as wolfSSL for TLS 1.2.
  const bool is_tls_1_3 = first == 0x13;
  const char* name = is_tls_1_3 ? wolfSSL_get_cipher_name_iana_from_suite(first, second)
                                : wolfSSL_get_cipher_name_from_suite(first, second);
  return name == nullptr ? std::string_view() : name;
}

std::string_view Session::alpn_protocol() const noexcept {
  char* name = nullptr;
  unsigned short size = 0;
  if (!handshake_done_ || wolfSSL_ALPN_GetProtocol(ssl_, &name, &size) != WOLFSSL_SUCCESS) return {};
  return {name, size};
}

}  // namespace sluice::tls
