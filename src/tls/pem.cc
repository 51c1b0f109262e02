#include "tls/pem.h"

#include "base/text.h"
#include "base/wipe.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/coding.h>

#include <fmt/format.h>

namespace sluice::tls {
namespace {

constexpr size_t kLineCharacters = 64;  // RFC 7468 2

Result<Der> decode_base64(std::string_view text) {
  Der der(text.size() / 4 * 3 + 3);
  auto size = static_cast<word32>(der.size());
  if (text.empty() ||
      Base64_Decode(reinterpret_cast<const byte*>(text.data()), static_cast<word32>(text.size()),
                    reinterpret_cast<byte*>(der.data()), &size) != 0 ||
      size == 0) {
    return failure("is not base64");
  }
  der.resize(size);
  return der;
}

std::string_view noun(std::string_view label) noexcept {
  return label == kCertificateLabel ? "certificate" : label == kCrlLabel ? "CRL" : label;
}

}  // namespace

Result<std::vector<Der>> decode_pem(std::string_view text, std::string_view label) {
  const std::string begin = fmt::format("-----BEGIN {}-----", label);
  const std::string end = fmt::format("-----END {}-----", label);
  std::vector<Der> blocks;
  for (size_t at = text.find(begin); at != std::string_view::npos; at = text.find(begin)) {
    text.remove_prefix(at + begin.size());
    const size_t size = text.find(end);
    if (size == std::string_view::npos)
      return failure(fmt::format("holds a PEM {} that is cut off: there is no '{}' (number {})", noun(label), end,
                                 blocks.size() + 1));
    Result<Der> der = decode_base64(trimmed(text.substr(0, size)));
    if (!der)
      return failure(fmt::format("holds a PEM {} that cannot be decoded: it {} (number {})", noun(label),
                                 der.error().message, blocks.size() + 1));
    blocks.push_back(std::move(*der));
    text.remove_prefix(size + end.size());
  }
  if (blocks.empty()) return failure(fmt::format("holds no PEM {} ('{}')", noun(label), begin));
  return blocks;
}

std::string encode_pem(ConstBytes der, std::string_view label) {
  std::string base64(der.size() / 3 * 4 + 5, '\0');
  auto size = static_cast<word32>(base64.size());
  if (Base64_Encode_NoNl(reinterpret_cast<const byte*>(der.data()), static_cast<word32>(der.size()),
                         reinterpret_cast<byte*>(base64.data()), &size) != 0)
    return {};
  base64.resize(size);
  std::string text = fmt::format("-----BEGIN {}-----\n", label);
  text.reserve(2 * text.size() + base64.size() + base64.size() / kLineCharacters + 1);  // never moved
  for (std::string_view rest = base64; !rest.empty(); rest.remove_prefix(std::min(rest.size(), kLineCharacters)))
    text.append(rest.substr(0, kLineCharacters)).append("\n");
  wipe(base64);  // it may be a key
  return text.append(fmt::format("-----END {}-----\n", label));
}

}  // namespace sluice::tls
