#include "tls/session.h"

#include "base/address.h"
#include "base/check.h"
#include "base/limits.h"
#include "tls/private_key.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <cstring>
#include <new>
#include <optional>
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

// More than wolfSSL takes of a peer (MAX_CHAIN_DEPTH).
constexpr size_t kChainMax = 16;

std::string_view noun(Side side) noexcept { return side == Side::client ? "client" : "server"; }

// Null: nothing was verified.
bool is_still_valid(const PeerCertificate* certificate) {
  if (certificate == nullptr) return true;
  const Result<ParsedCertificate> parsed = certificate->parsed();
  return parsed.has_value() && std::chrono::system_clock::now() <= parsed->not_after;
}

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

// What is needed until the handshake is done, and would only cost memory afterwards.
struct Session::Handshake {
  std::shared_ptr<const ServerContext::AlpnNames> alpn_names;  // until the protocol is chosen
  std::shared_ptr<const PrivateKey> key;                       // null: none is shown
  std::unique_ptr<ResumableSession> resumed_from;              // null: a full handshake
  std::shared_ptr<const ServerContext::Tickets> tickets;       // null: none are given or taken
  std::shared_ptr<const OcspStaple> staple;                    // null: none is shown
  WallTime authenticated_at{};                                 // of the client's ticket, exactly when one was opened
  HandshakePool* pool = nullptr;                               // null: signatures are made at once
  HandshakeWaiter waiter;
  std::optional<Fiber> fiber;            // exactly while a step is under way; between calls: while it waits
  std::unique_ptr<SigningJob> job;       // the last signature; while it waits for that, the queue has it
  X25519Agreement* agreement = nullptr;  // exactly while it waits for that; on the fiber's stack
  bool is_waiting = false;
  bool is_abandoned = false;  // the session is being destroyed: the step is to come to its end
  int result = 0;             // of the last step
};

namespace {

thread_local Session* running_session = nullptr;

}  // namespace

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

// --- Callbacks -------------------------------------------------------------------------------------

void Session::install_callbacks(WOLFSSL_CTX* context) noexcept {
  wolfSSL_CTX_SetIORecv(context, on_receive);
  wolfSSL_CTX_SetIOSend(context, on_send);
  wolfSSL_CTX_set_servername_callback(context, on_client_hello);  // of servers; a client never calls it
}

void Session::ask_for_certificate(WOLFSSL_CTX* context, bool is_required) noexcept {
  wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER | (is_required ? WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                         on_verify);
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
  if (static_cast<Session*>(session)->refused_) return size;  // wolfSSL's own alert, after ours
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
  const auto names = std::exchange(session.handshake_->alpn_names, nullptr);
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
  if (session.handshake_ == nullptr || session.handshake_->staple == nullptr) return 0;
  const OcspStaple& given = *session.handshake_->staple;
  if (std::chrono::system_clock::now() >= given.good_until) return 0;
  *staple = reinterpret_cast<unsigned char*>(const_cast<char*>(given.der.data()));
  return static_cast<int>(given.der.size());
}

// Seals a new ticket, or opens the client's. Returning anything but "ok" from sealing ends the handshake.
int Session::on_ticket(WOLFSSL* ssl, unsigned char* name, unsigned char* iv, unsigned char* mac, int seals,
                       unsigned char* ticket, int size, int* new_size, void* /*unused*/) {
  auto& session = *static_cast<Session*>(wolfSSL_GetIOReadCtx(ssl));
  if (session.handshake_ == nullptr || session.handshake_->tickets == nullptr || size < 0)
    return WOLFSSL_TICKET_RET_REJECT;
  Handshake& handshake = *session.handshake_;
  TicketKeyring& keyring = *handshake.tickets->keyring;
  const TicketBinding& binding = handshake.tickets->binding;
  const TicketFields fields{
      .name = std::span<std::byte, ticket_name_bytes>(reinterpret_cast<std::byte*>(name), ticket_name_bytes),
      .iv = std::span<std::byte, ticket_iv_bytes>(reinterpret_cast<std::byte*>(iv), ticket_iv_bytes),
      .mac = std::span<std::byte, ticket_mac_bytes>(reinterpret_cast<std::byte*>(mac), ticket_mac_bytes)};
  const MutableBytes bytes(reinterpret_cast<std::byte*>(ticket), static_cast<size_t>(size));
  const WallTime now = std::chrono::system_clock::now();

  if (seals != 0) {
    // *new_size is the room that the buffer has in all.
    const MutableBytes buffer(bytes.data(), static_cast<size_t>(std::max(*new_size, size)));
    const WallTime since = wolfSSL_session_reused(ssl) == 1 ? handshake.authenticated_at : now;
    if (!keyring.seal(binding, since, now, fields, buffer, bytes.size())) return WOLFSSL_TICKET_RET_FATAL;
    *new_size = static_cast<int>(TicketKeyring::sealed_bytes(bytes.size()));
    return WOLFSSL_TICKET_RET_OK;
  }

  const TicketKeyring::Opened opened = keyring.open(binding, now, fields, bytes);
  if (opened.status == TicketKeyring::OpenStatus::rejected) return WOLFSSL_TICKET_RET_REJECT;
  handshake.authenticated_at = opened.authenticated_at;
  *new_size = static_cast<int>(opened.state_size);
  // In TLS 1.3 every resumed session gets a new ticket, and "create" would mean that this one is not taken.
  const bool renews =
      opened.status == TicketKeyring::OpenStatus::opened_by_previous_key && wolfSSL_GetVersion(ssl) == WOLFSSL_TLSV1_2;
  return renews ? WOLFSSL_TICKET_RET_CREATE : WOLFSSL_TICKET_RET_OK;
}

// --- Verifying the other side ----------------------------------------------------------------------

// wolfSSL knows no CA at all, so that it accepts nothing itself and keeps nothing of what peers send
// (tls/decoded_certificate.h). It asks about each certificate that is not a CA, and about the leaf, which comes
// last, with all that were sent. 1: accepted.
int Session::on_verify(int /*is_good*/, WOLFSSL_X509_STORE_CTX* store) {
  auto& session = *static_cast<Session*>(store->userCtx);
  return session.verify_peer(*store) ? 1 : 0;
}

bool Session::verify_peer(const WOLFSSL_X509_STORE_CTX& store) {
  const bool has_no_issuer_only =
      store.error == 0 || store.error == ASN_NO_SIGNER_E || store.error == ASN_SELF_SIGNED_E;
  // Not the leaf: superfluous, or the verifier finds out.
  if (store.error_depth > 0) return has_no_issuer_only || refuse_peer(describe_failure(store.error, peer_));
  // A client without a certificate sends an empty list; wolfSSL knows whether it must have one.
  if (store.totalCerts == 0 && peer_ == Side::client) return store.error == 0;
  if (verifier_ == nullptr || store.totalCerts <= 0) return refuse_peer(describe_failure(VERIFY_CERT_ERROR, peer_));

  std::array<ConstBytes, kChainMax> chain;
  const size_t count = std::min(static_cast<size_t>(store.totalCerts), chain.size());
  for (size_t i = 0; i < count; ++i)
    chain[i] = {reinterpret_cast<const std::byte*>(store.certs[i].buffer), store.certs[i].length};
  const WallTime now = std::chrono::system_clock::now();
  if (const auto failure = verifier_->verify(std::span(chain).first(count), server_name_, now))
    return refuse_peer(*failure);
  // What wolfSSL alone has seen: a key that it cannot use, say.
  if (!has_no_issuer_only) return refuse_peer(describe_failure(store.error, peer_));
  peer_certificate_ = std::make_unique<PeerCertificate>(chain[0]);
  return true;
}

// Always false. The alert goes out now, as wolfSSL would send one of its own choice next.
bool Session::refuse_peer(const Failure& failure) {
  error_text_ = failure.text;
  SendAlert(ssl_, kFatal, static_cast<int>(failure.alert));
  refused_ = true;
  return false;
}

// --- The engine ------------------------------------------------------------------------------------

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
  if (context.alpn_ != nullptr && !use_alpn(session->ssl_, context.alpn_->front())) return nullptr;
  return session;
}

std::unique_ptr<Session> Session::connect(ClientContext& context, std::string_view server_name,
                                          std::unique_ptr<ResumableSession> resumable, HandshakePool* pool,
                                          HandshakeWaiter waiter) {
  std::unique_ptr<Session> session(new (std::nothrow) Session(Side::server));
  if (session == nullptr || !session->start(context.context_, pool, waiter)) return nullptr;
  if (server_name.ends_with('.')) server_name.remove_suffix(1);
  const bool is_dns_name = !server_name.empty() && !SocketAddress::from_ip(server_name, 0);
  if (is_dns_name && wolfSSL_UseSNI(session->ssl_, WOLFSSL_SNI_HOST_NAME, server_name.data(),
                                    static_cast<unsigned short>(server_name.size())) != WOLFSSL_SUCCESS)
    return nullptr;
  if (!context.alpn_.empty() && wolfSSL_UseALPN(session->ssl_, const_cast<char*>(context.alpn_.c_str()),
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

SessionStatus Session::handshake(ConstBytes& input, ByteSink output) {
  CHECK(!handshake_done_);
  if (failed_) return SessionStatus::failed;
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
  // The result says whether the other side has closed too, which read() tells.
  wolfSSL_shutdown(ssl_);
}

// --- The handshake's steps -------------------------------------------------------------------------

// One step of wolfSSL's handshake, or the rest of one that has waited; false: it waits.
bool Session::advance_handshake() {
  Handshake& handshake = *handshake_;
  if (!handshake.fiber) {
    std::byte* stack = handshake.pool == nullptr ? nullptr : handshake.pool->stacks.take();
    if (stack == nullptr) {
      take_step();
      return true;
    }
    handshake.fiber.emplace(
        handshake.pool->stacks, stack, [](void* self) { static_cast<Session*>(self)->take_step(); }, this);
  }
  handshake.fiber->resume();
  if (!handshake.fiber->is_done()) return false;
  handshake.fiber.reset();
  return true;
}

void Session::take_step() { handshake_->result = peer_ == Side::client ? wolfSSL_accept(ssl_) : wolfSSL_connect(ssl_); }

Session* Session::running() noexcept { return running_session; }

bool Session::sign_block(const PrivateKey& key, const std::byte* block, std::byte* signature, WC_RNG* random) {
  // After the handshake nothing is signed.
  if (handshake_ == nullptr || handshake_->is_abandoned) return false;
  Handshake& handshake = *handshake_;
  DCHECK(handshake.key.get() == &key);
  if (handshake.job == nullptr) handshake.job = std::make_unique<SigningJob>();
  const bool can_wait = handshake.fiber && key.is_worth_queueing();
  std::memcpy(handshake.job->input.data(), block, key.size_bytes());
  const bool is_signed = can_wait ? wait_for_signature() : key.run(block, handshake.job->output.data(), random);
  if (!is_signed) return false;
  std::memcpy(signature, handshake.job->output.data(), key.size_bytes());
  return true;
}

// On the fiber. The job is the queue's until on_ready().
bool Session::wait_for_signature() {
  Handshake& handshake = *handshake_;
  SigningJob& job = *handshake.job;
  job.key = handshake.key;
  job.has_succeeded = false;
  job.on_done = on_ready;
  job.owner = this;
  handshake.pool->signing.submit(job);
  wait();
  return !handshake.is_abandoned && job.has_succeeded;  // an abandoned job is gone
}

bool Session::agree(const std::byte* private_key, const std::byte* peer_key, std::byte* secret) {
  if (handshake_ == nullptr || !handshake_->fiber || !can_use_crypto_mb()) return false;
  Handshake& handshake = *handshake_;
  X25519Agreement agreement;
  agreement.private_key = private_key;
  agreement.peer_key = peer_key;
  agreement.secret = secret;
  agreement.on_done = on_ready;
  agreement.owner = this;
  handshake.agreement = &agreement;
  handshake.pool->agreements.add(agreement);
  wait();
  handshake.agreement = nullptr;
  agreement.unlink_if_linked();  // abandoned
  return agreement.has_succeeded;
}

void Session::wait() {
  handshake_->is_waiting = true;
  handshake_->fiber->stop();
}

void Session::on_ready(void* self) {
  Handshake& handshake = *static_cast<Session*>(self)->handshake_;
  handshake.is_waiting = false;
  handshake.waiter.on_ready(handshake.waiter.owner);
}

// wolfSSL looks at what it has just signed, which was checked already (PrivateKey).
bool Session::open_block(const PrivateKey& key, const std::byte* signature, std::byte* block) {
  const SigningJob* job = handshake_ == nullptr ? nullptr : handshake_->job.get();
  if (job == nullptr || std::memcmp(job->output.data(), signature, key.size_bytes()) != 0)
    return key.run_public(signature, block);
  std::memcpy(block, job->input.data(), key.size_bytes());
  return true;
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
    case WOLFSSL_ERROR_ZERO_RETURN: return SessionStatus::closed;
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
