// Certificate revocation lists in any bytes: as PEM; or, by the first byte of the input, as DER, our own list after the
// changes of a program. A list that is taken is one that the CA has signed, and says what that one says.
#include "hostile_peer/credentials.h"
#include "hostile_peer/der_tree.h"
#include "hostile_peer/program.h"

#include "base/check.h"
#include "tls/der.h"
#include "tls/revocation_lists.h"

#include <algorithm>
#include <chrono>
#include <string>

using namespace sluice;

namespace {

const tls::TrustStore& store() {
  static const auto made = *tls::TrustStore::from_pem(fuzz::credentials().ca_pem);
  return *made;
}

// Content of the Name: of a self-signed certificate it is the issuer's as well.
ConstBytes name_of_ca() {
  static const tls::Der der = tls::decode_pem(fuzz::credentials().ca_pem, tls::kCertificateLabel)->front();
  ConstBytes certificate = der;
  ConstBytes inside = tls::der::take(certificate)->content;
  ConstBytes fields = tls::der::take(inside)->content;
  for (int i = 0; i < 3; ++i) (void)tls::der::take(fields);  // version, serial number, signature
  return tls::der::take(fields)->content;
}

std::string own_list() {
  const auto blocks = tls::decode_pem(fuzz::credentials().crl_pem, tls::kCrlLabel);
  return std::string(as_text(blocks->front()));
}

ConstBytes signed_part(ConstBytes list) {
  const auto outer = tls::der::take(list);
  ConstBytes inside = outer ? outer->content : ConstBytes();
  const auto tbs = tls::der::take(inside);
  return tbs ? tbs->whole : ConstBytes();
}

void check(std::string_view pem) {
  const auto lists = tls::RevocationLists::create(pem, store());
  if (!lists) {
    CHECK(std::ranges::all_of(lists.error().message, [](char c) { return c >= ' ' && c < '\x7f'; }));
    return;
  }
  const std::string own = own_list();
  const auto blocks = tls::decode_pem(pem, tls::kCrlLabel);
  CHECK(blocks.has_value());
  for (const tls::Der& der : *blocks) CHECK(std::ranges::equal(signed_part(der), signed_part(as_bytes(own))));
  const auto now = std::chrono::system_clock::now();
  const auto answer = [&](std::string_view serial) { return lists->check(name_of_ca(), as_bytes(serial), now); };
  CHECK(answer("\x42") == tls::Revocation::revoked);
  CHECK(answer("\x43") == tls::Revocation::good);
  CHECK(answer("") == tls::Revocation::good);
  CHECK(lists->check({}, as_bytes("\x42"), now) == tls::Revocation::no_list);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Program program({reinterpret_cast<const char*>(data), size});
  switch (program.number(3)) {
    case 0: check(tls::encode_pem(as_bytes(fuzz::edit_der(own_list(), program)), tls::kCrlLabel)); break;
    case 1: check(tls::encode_pem(as_bytes(program.rest()), tls::kCrlLabel)); break;
    default: check(program.rest());
  }
  return 0;
}
