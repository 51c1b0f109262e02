#include "tls/session.h"

#include "base/address.h"
#include "base/check.h"
#include "base/limits.h"
#include "tls/key_log.h"
#include "tls/session_handshake.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <new>
#include <utility>

// Not in wolfSSL's headers, but in its (static) library: the only way to tell the client why, for the
// errors about which wolfSSL itself says nothing unless it is built with WOLFSSL_EXTRA_ALERTS. Works in
// every state of the connection: encrypted exactly when records of ours are.
extern "C" int SendAlert(WOLFSSL* ssl, int severity, int type);

namespace sluice::tls {
namespace {

constexpr int kFatal = 2;  // AlertLevel, RFC 8446 6

thread_local Session* running_session = nullptr;

std::string_view noun(Side side) noexcept { return side == Side::client ? "client" : "server"; }

// Null: nothing was verified.
bool is_still_valid(const PeerCertificate* certificate) {
  if (certificate == nullptr) return true;
  const Result<ParsedCertificate> parsed = certificate->parsed();
  return parsed.has_value() && std::chrono::system_clock::now() <= parsed->not_after;
}

}  // namespace

Session* Session::running() noexcept { return running_session; }

// For the time of one call into wolfSSL, its callbacks know the session and the caller's bytes.
class Session::Call {
 public:
  Call(Session& session, ConstBytes* input, ByteSink output) noexcept : session_(session) {
    DCHECK(session.output_.owner == nullptr);  // not re-entrant
    session.input_ = input;
    session.output_ = output;
    running_session = &session;
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call() {
    session_.input_ = nullptr;
    session_.output_ = {};
    running_session = nullptr;
  }

 private:
  Session& session_;
};

// --- Making one ------------------------------------------------------------------------------------

Session::Session(Side peer) : peer_(peer), handshake_(std::make_unique<Handshake>()) {}

std::unique_ptr<Session> Session::accept(ServerContext& context, const ClientHello& hello, HandshakePool* pool,
                                         HandshakeWaiter waiter) {
  const ServerContext::Pair& pair = context.choose(hello);
  std::unique_ptr<Session> session(new (std::nothrow) Session(Side::client));
  if (session == nullptr || !session->start(pair.context, pool, waiter)) return nullptr;
  session->handshake_->alpn_names = context.alpn_;
  session->handshake_->key = pair.key;
  session->handshake_->tickets = context.tickets_;
  session->handshake_->staple = pair.staple;
  session->verifier_ = context.verifier_;
  session->local_certificate_ = pair.local_certificate;
  // Before the ClientHello: an extension that is new after it would stand in front of pre_shared_key, which
  // wolfSSL wants to be the first of its list (the last that was received), or it refuses to resume.
  if (context.alpn_ != nullptr && !session->use_alpn(context.alpn_->front())) return nullptr;
  return session;
}

std::unique_ptr<Session> Session::connect(ClientContext& context, std::string_view server_name,
                                          std::unique_ptr<ResumableSession> resumable, HandshakePool* pool,
                                          HandshakeWaiter waiter, bool offers_alpn) {
  std::unique_ptr<Session> session(new (std::nothrow) Session(Side::server));
  if (session == nullptr || !session->start(context.context_, pool, waiter)) return nullptr;
  if (server_name.ends_with('.')) server_name.remove_suffix(1);
  const bool is_dns_name = !server_name.empty() && !SocketAddress::from_ip(server_name, 0);
  if (is_dns_name && wolfSSL_UseSNI(session->ssl_, WOLFSSL_SNI_HOST_NAME, server_name.data(),
                                    static_cast<unsigned short>(server_name.size())) != WOLFSSL_SUCCESS)
    return nullptr;
  if (offers_alpn && !context.alpn_.empty() &&
      wolfSSL_UseALPN(session->ssl_, const_cast<char*>(context.alpn_.c_str()),
                      static_cast<unsigned>(context.alpn_.size()),
                      WOLFSSL_ALPN_CONTINUE_ON_MISMATCH) != WOLFSSL_SUCCESS)
    return nullptr;
  session->verifier_ = context.verifier_;
  session->handshake_->key = context.key_;
  session->server_name_ = server_name;
  session->local_certificate_ = context.local_certificate_;
  // Expired, or from a time when the certificate was still good: a full handshake follows.
  if (resumable != nullptr && resumable->server_name_ == server_name && resumable->verifier_ == context.verifier_ &&
      is_still_valid(resumable->peer_certificate_.get()) &&
      wolfSSL_set_session(session->ssl_, resumable->session_) == WOLFSSL_SUCCESS)
    session->handshake_->resumed_from = std::move(resumable);
  return session;
}

std::unique_ptr<ResumableSession> Session::take_resumable() {
  if (peer_ != Side::server || !handshake_done_ || failed_ || resumable_taken_) return nullptr;
  // A copy: wolfSSL goes on to change its own when a further ticket arrives.
  WOLFSSL_SESSION* own = wolfSSL_get1_session(ssl_);
  WOLFSSL_SESSION* copy = wolfSSL_SessionIsSetup(own) != 0 ? wolfSSL_SESSION_dup(own) : nullptr;
  wolfSSL_SESSION_free(own);
  if (copy == nullptr) return nullptr;
  std::unique_ptr<ResumableSession> resumable(new ResumableSession(copy));
  resumable->server_name_ = server_name_;
  resumable->verifier_ = verifier_;
  if (peer_certificate_ != nullptr)
    resumable->peer_certificate_ = std::make_unique<PeerCertificate>(*peer_certificate_);
  resumable_taken_ = true;
  return resumable;
}

bool Session::is_resumed() const noexcept { return handshake_done_ && wolfSSL_session_reused(ssl_) != 0; }

ResumableSession::~ResumableSession() { wolfSSL_SESSION_free(session_); }

bool Session::start(WOLFSSL_CTX* context, HandshakePool* pool, HandshakeWaiter waiter) {
  ssl_ = wolfSSL_new(context);
  if (ssl_ == nullptr) return false;
  wolfSSL_SetIOReadCtx(ssl_, this);
  wolfSSL_SetIOWriteCtx(ssl_, this);
  wolfSSL_SetCertCbCtx(ssl_, this);
#ifndef NDEBUG
  log_keys_of(ssl_);
#endif
  if (pool != nullptr && pool->signing.is_served()) handshake_->pool = pool;
  handshake_->waiter = waiter;
  return true;
}

Session::~Session() {
  if (handshake_ != nullptr && handshake_->fiber) {
    // What the step has on its stack it frees itself: the signature fails, and it comes to its end.
    handshake_->is_abandoned = true;
    if (handshake_->is_waiting && handshake_->agreement == nullptr)
      handshake_->job.release()->on_done = nullptr;  // the queue frees it
    const Call call(*this, nullptr, {});
    handshake_->fiber->resume();
  }
  wolfSSL_free(ssl_);
}

// --- Calls -----------------------------------------------------------------------------------------

SessionStatus Session::handshake(ConstBytes& input, ByteSink output) {
  CHECK(!handshake_done_);
  if (failed_) return SessionStatus::failed;
  if (peer_has_closed_) return SessionStatus::closed;
  if (handshake_->is_waiting) return SessionStatus::waiting;
  const Call call(*this, &input, output);
  const size_t available = input.size();
  if (!advance_handshake()) return SessionStatus::waiting;
  if (handshake_->result == WOLFSSL_SUCCESS) {
    handshake_done_ = true;
    if (peer_ == Side::client) verifier_ = nullptr;
    if (handshake_->resumed_from != nullptr && is_resumed())
      peer_certificate_ = std::move(handshake_->resumed_from->peer_certificate_);
    handshake_ = nullptr;
    silent_bytes_ = 0;
    return SessionStatus::ok;
  }
  const SessionStatus status = on_result(handshake_->result, available - input.size());
  if (status == SessionStatus::closed)
    error_text_ = fmt::format("the {} closed the connection in the middle of the handshake", noun(peer_));
  return status;
}

Session::ReadResult Session::read(ConstBytes& input, MutableBytes plaintext, ByteSink output) {
  CHECK(handshake_done_ && !plaintext.empty());
  if (failed_) return {SessionStatus::failed};
  if (peer_has_closed_) return {SessionStatus::closed};  // wolfSSL has forgotten it when we have closed, too
  if (const size_t opened = open(input, plaintext); opened > 0) {
    silent_bytes_ = 0;
    return {SessionStatus::ok, opened};
  }
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
  while (!plaintext.empty()) {
    const ConstBytes record = plaintext.first(std::min(plaintext.size(), limits::tls_plaintext_bytes));
    plaintext = plaintext.subspan(record.size());
    if (seal(record, output)) continue;
    const Call call(*this, nullptr, output);
    const int result = wolfSSL_write(ssl_, record.data(), static_cast<int>(record.size()));
    if (result != static_cast<int>(record.size())) {
      fail(wolfSSL_get_error(ssl_, result));
      return false;
    }
  }
  return true;
}

void Session::close(ByteSink output) {
  if (failed_ || std::exchange(close_sent_, true)) return;
  const Call call(*this, nullptr, output);
  // The result says whether the other side has closed too, which read() tells.
  wolfSSL_shutdown(ssl_);
}

// --- How a call ended ------------------------------------------------------------------------------

SessionStatus Session::on_result(int result, size_t consumed) {
  switch (const int error = wolfSSL_get_error(ssl_, result); error) {
    case WOLFSSL_ERROR_WANT_READ:
      silent_bytes_ += consumed;
      if (silent_bytes_ <= limits::tls_silent_bytes_max) return SessionStatus::need_input;
      // A flood of key updates or empty records costs the other side nothing and us a key derivation each.
      return fail({fmt::format("the {} sent too many TLS records without any content", noun(peer_)),
                   Alert::unexpected_message});
    case WOLFSSL_ERROR_ZERO_RETURN: peer_has_closed_ = true; return SessionStatus::closed;
    default: return fail(error);  // describe_failure() lists what is expected
  }
}

SessionStatus Session::fail(int error) {
  if (refused_) {  // error_text_ says why
    failed_ = true;
    return SessionStatus::failed;
  }
  WOLFSSL_ALERT_HISTORY alerts{};
  wolfSSL_get_alert_history(ssl_, &alerts);
  if (error != FATAL_ERROR || alerts.last_rx.code <= 0) return fail(describe_failure(error, peer_));
  failed_ = true;
  error_text_ = describe_received_alert(alerts.last_rx.code, peer_);
  return SessionStatus::failed;
}

SessionStatus Session::fail(const Failure& failure) {
  failed_ = true;
  error_text_ = failure.text;
  WOLFSSL_ALERT_HISTORY alerts{};
  wolfSSL_get_alert_history(ssl_, &alerts);
  if (alerts.last_tx.level != kFatal) send_alert(failure.alert);
  return SessionStatus::failed;
}

void Session::send_alert(Alert alert) { SendAlert(ssl_, kFatal, static_cast<int>(alert)); }

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
