// What wolfSSL asks of a Session in the middle of a call.
#include "tls/session.h"
#include "tls/session_handshake.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/ssl.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <span>
#include <utility>

namespace sluice::tls {
namespace {

constexpr int kRefuseClientHello = 2;  // fatal_return of wolfSSL's servername callback
constexpr int kAcceptClientHello = 0;

// More than wolfSSL takes of a peer (MAX_CHAIN_DEPTH).
constexpr size_t kChainMax = 16;

bool is_offered(std::string_view offered, std::string_view name) noexcept {
  while (true) {
    const size_t comma = offered.find(',');
    if (offered.substr(0, comma) == name) return true;
    if (comma == std::string_view::npos) return false;
    offered.remove_prefix(comma + 1);
  }
}

}  // namespace

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

// --- Ciphertext ------------------------------------------------------------------------------------

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

// --- The ClientHello -------------------------------------------------------------------------------

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
  if (chosen == names->end() || chosen == names->begin() || session.use_alpn(*chosen)) return kAcceptClientHello;
  *alert = static_cast<int>(Alert::internal_error);
  return kRefuseClientHello;
}

bool Session::use_alpn(const std::string& name) noexcept {
  return wolfSSL_UseALPN(ssl_, const_cast<char*>(name.c_str()), static_cast<unsigned>(name.size()),
                         WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS;
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

// --- Session tickets -------------------------------------------------------------------------------

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
  send_alert(failure.alert);
  refused_ = true;
  return false;
}

}  // namespace sluice::tls
