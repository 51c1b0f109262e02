#include "tls/failure.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/error-ssl.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

namespace sluice::tls {

Failure describe_failure(int error) noexcept {
  switch (error) {
    // --- nothing in common ---
    case VERSION_ERROR:
    case UNSUPPORTED_PROTO_VERSION:
      return {
          "the client offers no TLS version that is allowed here, or changed it half-way: TLS 1.0 and 1.1 never are, "
          "and minProtocolVersion and maxProtocolVersion of the Gateway's server may exclude more",
          Alert::protocol_version};
    case MATCH_SUITE_ERROR:
    case UNSUPPORTED_SUITE:
      return {
          "no cipher suite in common with the client that suits the certificate's key: compare cipherSuites of the "
          "Gateway's server with what the client offers; ECDHE-RSA suites need an RSA key, ECDHE-ECDSA an ECDSA key",
          Alert::handshake_failure};
    case KEY_SHARE_ERROR:
    case ECC_CURVETYPE_ERROR:
    case ECC_CURVE_ERROR:
      return {"no elliptic curve in common with the client: X25519, P-256 and P-384 are offered",
              Alert::handshake_failure};
    case UNKNOWN_ALPN_PROTOCOL_NAME_E:
      return {"no application protocol (ALPN) in common with the client", Alert::no_application_protocol};
    case COMPRESSION_ERROR: return {"the client does not offer the null compression method", Alert::illegal_parameter};
    case EXT_MISSING:
    case INCOMPLETE_DATA:
      return {"the client's handshake lacks an extension that it must have", Alert::missing_extension};

    // --- what the client sent is wrong ---
    case BUFFER_ERROR:
    case BUFFER_E:
    case DECODE_E:
    case BAD_HELLO:
    case LENGTH_ERROR:
    case MISSING_HANDSHAKE_DATA:
    case HANDSHAKE_SIZE_ERROR: return {"the client sent a TLS message that is malformed", Alert::decode_error};
    case PARSE_ERROR:
    case UNKNOWN_RECORD_TYPE: return {"the client sent something that is no TLS record", Alert::unexpected_message};
    case UNKNOWN_HANDSHAKE_TYPE:
    case OUT_OF_ORDER_E:
    case SANITY_MSG_E:
    case NO_CHANGE_CIPHER_E:
    case SIDE_ERROR: return {"the client sent a TLS message that does not belong there", Alert::unexpected_message};
    case DUPLICATE_MSG_E:
      return {"the client sent a handshake message twice, or asked for renegotiation, which is refused",
              Alert::unexpected_message};
    case ALERT_COUNT_E: return {"the client sent too many warning alerts", Alert::unexpected_message};
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
    case SECURE_RENEGOTIATION_E: return {"the client sent a TLS parameter that is not valid", Alert::illegal_parameter};

    // --- what arrived is not what was sent ---
    case VERIFY_FINISHED_ERROR:
      return {"the handshakes of client and server differ: something between them changed it", Alert::decrypt_error};
    case VERIFY_MAC_ERROR:
    case DECRYPT_ERROR:
    case SANITY_CIPHER_E:
    case AES_GCM_AUTH_E:
    case MAC_CMP_FAILED_E:
      return {"a record from the client does not decrypt: it was damaged or forged on the way", Alert::bad_record_mac};

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
      return {"the server's key could not sign: check the certificate's Secret", Alert::internal_error};

    default: return {"the TLS library failed in a way that sluice does not know", Alert::internal_error};
  }
}

std::string_view describe_received_alert(int code) noexcept {
  switch (code) {
    case 10: return "the client ended the connection with the alert unexpected_message (10)";
    case 20: return "the client ended the connection with the alert bad_record_mac (20)";
    case 22: return "the client ended the connection with the alert record_overflow (22)";
    case 40: return "the client ended the connection with the alert handshake_failure (40)";
    case 42:
      return "the client ended the connection with the alert bad_certificate (42): it does not accept the server's "
             "certificate";
    case 43:
      return "the client ended the connection with the alert unsupported_certificate (43): it does not accept the "
             "server's certificate";
    case 44:
      return "the client ended the connection with the alert certificate_revoked (44): the server's certificate has "
             "been revoked";
    case 45:
      return "the client ended the connection with the alert certificate_expired (45): the server's certificate has "
             "expired, or the client's clock is wrong";
    case 46:
      return "the client ended the connection with the alert certificate_unknown (46): it does not accept the server's "
             "certificate";
    case 47: return "the client ended the connection with the alert illegal_parameter (47)";
    case 48:
      return "the client ended the connection with the alert unknown_ca (48): it does not trust the issuer of the "
             "server's certificate, or the chain lacks an intermediate certificate";
    case 49: return "the client ended the connection with the alert access_denied (49)";
    case 50: return "the client ended the connection with the alert decode_error (50)";
    case 51: return "the client ended the connection with the alert decrypt_error (51)";
    case 70: return "the client ended the connection with the alert protocol_version (70)";
    case 71: return "the client ended the connection with the alert insufficient_security (71)";
    case 80: return "the client ended the connection with the alert internal_error (80)";
    case 90: return "the client ended the connection with the alert user_canceled (90)";
    case 109: return "the client ended the connection with the alert missing_extension (109)";
    case 110: return "the client ended the connection with the alert unsupported_extension (110)";
    case 112: return "the client ended the connection with the alert unrecognized_name (112)";
    default: return "the client ended the connection with a fatal alert that sluice has no name for";
  }
}

}  // namespace sluice::tls
