// A certificate in any bytes, as DER and as PEM; or, by the first byte of the input, one of ours that a program changes
// (hostile_peer/der_tree.h). Whatever it says: every text that is made of it is safe to print and to send on in a
// header, where it stays one element with the fields that we have put there.
#include "hostile_peer/credentials.h"
#include "hostile_peer/der_tree.h"
#include "hostile_peer/program.h"

#include "base/check.h"
#include "tls/distinguished_name.h"
#include "tls/forwarded_certificate.h"
#include "tls/parsed_certificate.h"
#include "tls/peer_certificate.h"
#include "tls/pem.h"
#include "tls/trust_store.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

using namespace sluice;

namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; });
}

bool is_hexadecimal(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// The names of the fields of an element of x-forwarded-client-cert, as whoever receives it takes it apart.
std::vector<std::string> field_names(std::string_view element) {
  std::vector<std::string> names(1);
  bool is_quoted = false, is_in_name = true;
  for (size_t i = 0; i < element.size(); ++i) {
    const char c = element[i];
    if (is_quoted && c == '\\') {
      ++i;
    } else if (c == '"') {
      is_quoted = !is_quoted;
    } else if (!is_quoted && c == ';') {
      names.emplace_back();
      is_in_name = true;
    } else if (!is_quoted && c == '=') {
      is_in_name = false;
    } else if (!is_quoted && is_in_name) {
      names.back() += c;
    }
    CHECK(is_quoted || c != ',');  // begins the next element
  }
  CHECK(!is_quoted);
  return names;
}

void check_texts(const tls::ParsedCertificate& certificate) {
  CHECK(is_printable(certificate.subject) && is_printable(certificate.issuer) && is_printable(certificate.key_type));
  for (const auto* names : {&certificate.dns_names, &certificate.ip_addresses, &certificate.uris, &certificate.emails})
    CHECK(std::ranges::all_of(*names, is_printable));
  CHECK(is_hexadecimal(certificate.serial));
  CHECK(is_hexadecimal(certificate.fingerprint_sha256) && certificate.fingerprint_sha256.size() == 64);
  CHECK(tls::to_rfc3339(certificate.not_before).size() == 20 && tls::to_rfc3339(certificate.not_after).size() == 20);
}

void check_forwarded(ConstBytes der, const tls::ParsedCertificate& certificate) {
  const std::string element = tls::forwarded_certificate(tls::PeerCertificate(der), nullptr);
  CHECK(is_printable(element));
  std::vector<std::string> expected{"Hash", "Cert", "Subject"};
  expected.insert(expected.end(), std::max<size_t>(1, certificate.uris.size()), "URI");
  expected.insert(expected.end(), certificate.dns_names.size(), "DNS");
  CHECK(field_names(element) == expected);
}

void check_der(ConstBytes der) {
  CHECK(is_printable(tls::to_rfc2253(der)));
  if (const auto certificate = tls::parse_certificate(der)) {
    check_texts(*certificate);
    check_forwarded(der, *certificate);
  } else {
    CHECK(is_printable(certificate.error().message));
  }
  const std::string pem = tls::encode_pem(der, tls::kCertificateLabel);
  const auto decoded = tls::decode_pem(pem, tls::kCertificateLabel);
  CHECK(der.empty() || (decoded && decoded->size() == 1 && std::ranges::equal(decoded->front(), der)));
}

void check_pem(std::string_view text) {
  const auto blocks = tls::decode_pem(text, tls::kCertificateLabel);
  CHECK(blocks ? !blocks->empty() : is_printable(blocks.error().message));
  const auto store = tls::TrustStore::from_pem(text);
  CHECK(store || is_printable(store.error().message));
  if (!store) return;
  CHECK(blocks && (*store)->count() <= blocks->size());
  for (const tls::Der& der : *blocks) CHECK((*store)->contains(der));
}

std::string changed(fuzz::Program& program) {
  const fuzz::Credentials& all = fuzz::credentials();
  const std::array<const std::string*, 5> certificates{&all.server_ecdsa.certificate, &all.server_rsa.certificate,
                                                       &all.client.certificate, &all.ca_pem, &all.intermediate_pem};
  return fuzz::edit_der(test::der_of(*certificates[program.number(certificates.size())]), program);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Program program({reinterpret_cast<const char*>(data), size});
  switch (program.number(3)) {
    case 0: check_der(as_bytes(changed(program))); break;
    case 1: check_der(as_bytes(program.rest())); break;
    default: check_pem(program.rest());
  }
  return 0;
}
