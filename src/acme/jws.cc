#include "acme/jws.h"

#include "acme/account_key.h"
#include "base/base64.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/hmac.h>

#include <nlohmann/json.hpp>

#include <array>
#include <span>
#include <utility>

namespace sluice::acme {

namespace {

using Json = nlohmann::ordered_json;

std::string to_text(const Json& json) {
  return json.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

Json protected_header(std::string_view algorithm, const JwsHeader& header, const std::string& jwk) {
  Json json = {{"alg", algorithm}};
  if (header.key_id.empty()) {
    json["jwk"] = Json::parse(jwk);  // our own text
  } else {
    json["kid"] = header.key_id;
  }
  if (!header.nonce.empty()) json["nonce"] = header.nonce;
  json["url"] = header.url;
  return json;
}

std::string flattened(const std::string& signed_text, std::string_view signature) {
  const size_t dot = signed_text.find('.');
  return to_text({{"protected", signed_text.substr(0, dot)},
                  {"payload", signed_text.substr(dot + 1)},
                  {"signature", to_base64url(as_bytes(signature))}});
}

std::string to_be_signed(const Json& header, std::string_view payload) {
  return to_base64url(as_bytes(to_text(header))) + "." + to_base64url(as_bytes(payload));
}

}  // namespace

Result<std::string> sign_jws(const AccountKey& key, const JwsHeader& header, std::string_view payload) {
  const std::string text = to_be_signed(protected_header(key.algorithm(), header, key.jwk()), payload);
  const Result<std::string> signature = key.sign(text);
  if (!signature) return std::unexpected(signature.error());
  return flattened(text, *signature);
}

Result<std::string> authenticate_jws(ConstBytes mac_key, const JwsHeader& header, std::string_view payload) {
  const std::string text = to_be_signed(protected_header("HS256", header, {}), payload);
  std::array<byte, WC_SHA256_DIGEST_SIZE> mac{};
  Hmac hmac;
  if (wc_HmacInit(&hmac, nullptr, INVALID_DEVID) != 0) return failure("no memory for a message authentication code");
  const bool is_made =
      wc_HmacSetKey(&hmac, WC_SHA256, reinterpret_cast<const byte*>(mac_key.data()),
                    static_cast<word32>(mac_key.size())) == 0 &&
      wc_HmacUpdate(&hmac, reinterpret_cast<const byte*>(text.data()), static_cast<word32>(text.size())) == 0 &&
      wc_HmacFinal(&hmac, mac.data()) == 0;
  wc_HmacFree(&hmac);  // wipes it
  if (!is_made) return failure("cannot authenticate with the MAC key: the cryptography library refuses");
  return flattened(text, as_text(std::as_bytes(std::span(mac))));
}

}  // namespace sluice::acme
