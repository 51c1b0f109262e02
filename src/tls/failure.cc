#include "tls/failure.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <fmt/format.h>

namespace sluice::tls {

namespace {

// {peer} is the other side, {here} is ours.
struct Pattern {
  std::string_view text;
  Alert alert;
};

Pattern pattern_of(int error) noexcept {
  switch (error) {
    // --- nothing in common ---
    case VERSION_ERROR:
    case UNSUPPORTED_PROTO_VERSION:
      return {
          "{peer} offers no TLS version that is allowed here, or changed it half-way: TLS 1.0 and 1.1 never are, "
          "and minProtocolVersion and maxProtocolVersion of the Gateway's server may exclude more",
          Alert::protocol_version};
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
      return {
          "no cipher suite in common with {peer} that suits the certificate's key: compare cipherSuites of the "
          "Gateway's server with what {peer} offers; ECDHE-RSA suites need an RSA key, ECDHE-ECDSA an ECDSA key",
          Alert::handshake_failure};
    case KEY_SHARE_ERROR:
    case ECC_CURVETYPE_ERROR:
    case ECC_CURVE_ERROR:
      return {"no elliptic curve in common with {peer}: X25519, P-256 and P-384 are offered", Alert::handshake_failure};
    case EXT_MASTER_SECRET_NEEDED_E:  // RFC 7627 5.3
      return {"{peer} resumes a session without the extended master secret that it began with",
              Alert::handshake_failure};
    case UNKNOWN_ALPN_PROTOCOL_NAME_E:
      return {"no application protocol (ALPN) in common with {peer}", Alert::no_application_protocol};
    case COMPRESSION_ERROR: return {"{peer} does not offer the null compression method", Alert::illegal_parameter};
    case EXT_MISSING:
    case INCOMPLETE_DATA: return {"{peer}'s handshake lacks an extension that it must have", Alert::missing_extension};

    // --- what the other side sent is wrong ---
    case BUFFER_ERROR:
    case BUFFER_E:
    case DECODE_E:
    case BAD_HELLO:
    case LENGTH_ERROR:
    case MISSING_HANDSHAKE_DATA:
    case HANDSHAKE_SIZE_ERROR: return {"{peer} sent a TLS message that is malformed", Alert::decode_error};
    case PARSE_ERROR:
    case UNKNOWN_RECORD_TYPE: return {"{peer} sent something that is no TLS record", Alert::unexpected_message};
    case UNKNOWN_HANDSHAKE_TYPE:
    case OUT_OF_ORDER_E:
    case SANITY_MSG_E:
    case NO_CHANGE_CIPHER_E:
    case SIDE_ERROR: return {"{peer} sent a TLS message that does not belong there", Alert::unexpected_message};
    case DUPLICATE_MSG_E:
      return {"{peer} sent a handshake message twice, or asked for renegotiation, which is refused",
              Alert::unexpected_message};
    case ALERT_COUNT_E: return {"{peer} sent too many warning alerts", Alert::unexpected_message};
    case INVALID_PARAMETER:
    case EXT_NOT_ALLOWED:
    case DUPLICATE_TLS_EXT_E:
    case UNSUPPORTED_EXTENSION:
    case BAD_KEY_SHARE_DATA:
    case PEER_KEY_ERROR:
    case ECC_PEERKEY_ERROR:
    case ECC_SHARED_ERROR:
    case ECC_OUT_OF_RANGE_E:
    case HRR_COOKIE_ERROR:
    case SECURE_RENEGOTIATION_E: return {"{peer} sent a TLS parameter that is not valid", Alert::illegal_parameter};

    // --- certificates: what wolfSSL says itself; most of it comes from tls/peer_verifier.h ---
    // TLS 1.3 has its own alert, which wolfSSL sends: certificate_required.
    case NO_PEER_CERT:
      return {"{peer} sent no certificate, but must (mode MUTUAL of the Gateway's server)", Alert::handshake_failure};
    case SIG_VERIFY_E:
    case VERIFY_SIGN_ERROR:
    case ASN_SIG_CONFIRM_E:
    case RSA_PAD_E:
    case BAD_PADDING_E:
      return {"{peer} does not prove that it has the key of its certificate: a signature of it is not good",
              Alert::decrypt_error};
    case MAX_CHAIN_ERROR: return {"{peer} sent a chain of too many certificates", Alert::bad_certificate};
    case ASN_PARSE_E:
    case ASN_VERSION_E:
    case ASN_NAME_INVALID_E:
    case KEYUSAGE_E:
    case VERIFY_CERT_ERROR: return {"{peer} sent a certificate that is malformed", Alert::bad_certificate};
    case ASN_CRIT_EXT_E:
      return {"{peer} sent a certificate with a critical extension that sluice does not know",
              Alert::unsupported_certificate};
    case RSA_KEY_SIZE_E:
    case ECC_KEY_SIZE_E: return {"the key of {peer}'s certificate is too short", Alert::unsupported_certificate};
    case KEYUSE_SIGNATURE_E:
    case EXTKEYUSE_AUTH_E:
      return {"{peer}'s certificate is not meant for this (key usage)", Alert::unsupported_certificate};

    // --- what arrived is not what was sent ---
    case VERIFY_FINISHED_ERROR:
      return {"the handshakes of client and server differ: something between them changed it", Alert::decrypt_error};
    case VERIFY_MAC_ERROR:
    case DECRYPT_ERROR:
    case SANITY_CIPHER_E:
    case AES_GCM_AUTH_E:
    case MAC_CMP_FAILED_E:
      return {"a record from {peer} does not decrypt: it was damaged or forged on the way", Alert::bad_record_mac};

    // --- here ---
    case MEMORY_E:
    case MEMORY_ERROR: return {"out of memory", Alert::internal_error};
    case RNG_FAILURE_E:
    case OPEN_RAN_E:
    case READ_RAN_E:
      return {"no random numbers from the operating system: is /dev/urandom there, and are file descriptors left?",
              Alert::internal_error};
    case NO_PRIVATE_KEY:
    case NO_CERT_ERROR:
    case RSA_PRIVATE_ERROR:
    case RSA_SIGN_FAULT:
      return {"the key of {here} could not sign: check the certificate's Secret", Alert::internal_error};

    default: return {"the TLS library failed in a way that sluice does not know", Alert::internal_error};
  }
}

constexpr std::string_view noun(Side side) noexcept { return side == Side::client ? "client" : "server"; }

// What a client is told by the server that it called: the offer was its own.
std::string_view server_refuses(int error) noexcept {
  switch (error) {
    case VERSION_ERROR:
    case UNSUPPORTED_PROTO_VERSION: return "the server offers no TLS version that is allowed here: TLS 1.2 and 1.3 are";
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
      return "the server chose a cipher suite that was not offered: ephemeral suites with AES-GCM or "
             "ChaCha20-Poly1305 are";
    default: return {};
  }
}

}  // namespace

Failure describe_failure(int error, Side peer) {
  const Pattern pattern = pattern_of(error);
  if (const std::string_view text = peer == Side::server ? server_refuses(error) : std::string_view(); !text.empty())
    return {std::string(text), pattern.alert};
  const Side here = peer == Side::client ? Side::server : Side::client;
  return {fmt::format(fmt::runtime(pattern.text), fmt::arg("peer", fmt::format("the {}", noun(peer))),
                      fmt::arg("here", fmt::format("the {}", noun(here)))),
          pattern.alert};
}

namespace {

// What RFC 8446 6 calls it, and what it means to the operator; {here} is our side.
std::string_view meaning_of_alert(int code) noexcept {
  switch (code) {
    case 10: return "unexpected_message (10)";
    case 20: return "bad_record_mac (20)";
    case 22: return "record_overflow (22)";
    case 40: return "handshake_failure (40)";
    case 42: return "bad_certificate (42): it does not accept {here}'s certificate";
    case 43: return "unsupported_certificate (43): it does not accept {here}'s certificate";
    case 44: return "certificate_revoked (44): {here}'s certificate has been revoked";
    case 45: return "certificate_expired (45): {here}'s certificate has expired, or {peer}'s clock is wrong";
    case 46: return "certificate_unknown (46): it does not accept {here}'s certificate";
    case 47: return "illegal_parameter (47)";
    case 48:
      return "unknown_ca (48): it does not trust the issuer of {here}'s certificate, or the chain lacks an "
             "intermediate certificate";
    case 49: return "access_denied (49)";
    case 50: return "decode_error (50)";
    case 51: return "decrypt_error (51)";
    case 70: return "protocol_version (70)";
    case 71: return "insufficient_security (71)";
    case 80: return "internal_error (80)";
    case 90: return "user_canceled (90)";
    case 109: return "missing_extension (109)";
    case 110: return "unsupported_extension (110)";
    case 112: return "unrecognized_name (112): it does not know the server name that was asked for";
    case 116: return "certificate_required (116): it wants a certificate of {here}, and got none";
    case 120: return "no_application_protocol (120)";
    default: return {};
  }
}

}  // namespace

std::string describe_received_alert(int code, Side peer) {
  const std::string_view meaning = meaning_of_alert(code);
  const Side here = peer == Side::client ? Side::server : Side::client;
  if (meaning.empty())
    return fmt::format("the {} ended the connection with a fatal alert that sluice has no name for ({})", noun(peer),
                       code);
  return fmt::format("the {} ended the connection with the alert {}", noun(peer),
                     fmt::format(fmt::runtime(meaning), fmt::arg("peer", fmt::format("the {}", noun(peer))),
                                 fmt::arg("here", fmt::format("the {}", noun(here)))));
}

}  // namespace sluice::tls
