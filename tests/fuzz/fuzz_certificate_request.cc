// What users give to issue certificates from: requests, keys, a CA's chain; any bytes, as DER and as PEM. A request is
// looked at only if its signature is right, so one of the ways signs any bytes itself. Whatever is read is safe to
// print, and is read again as the same from what we write of it.
#include "hostile_peer/program.h"

#include "base/check.h"
#include "base/limits.h"
#include "certs/authority.h"
#include "certs/certificate_facts.h"
#include "certs/certificate_parts.h"
#include "certs/certificate_request.h"
#include "certs/der_writer.h"
#include "config/utf8.h"
#include "tls/pem.h"

#include <algorithm>
#include <string>
#include <string_view>

using namespace sluice;

namespace {

bool is_printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c >= ' ' && c < '\x7f'; });
}

// For terminals and logs: UTF-8 on one line.
bool is_safe(const Error& error) {
  return !config::find_bad_byte(error.message) && error.message.find_first_of("\t\r\n") == std::string::npos;
}

void check_names(const certs::SubjectNames& names) {
  CHECK(names.count() <= limits::certificate_names_max);
  for (const auto* some : {&names.dns_names, &names.ip_addresses, &names.emails, &names.uris})
    CHECK(std::ranges::all_of(*some, is_printable));
  const auto again = certs::read_general_names(as_bytes(certs::to_general_names(names)));
  CHECK(again && *again == names);
}

const certs::SigningKey& key() {
  static const certs::SigningKey key = certs::SigningKey::make(certs::KeyType::ecdsa_p256).value();
  return key;
}

void check_request(std::string_view pem) {
  const auto request = certs::read_request(pem);
  CHECK(request || is_safe(request.error()));
  if (!request) return;
  const certs::Subject& subject = request->subject;
  CHECK(!config::find_bad_byte(subject.common_name));
  check_names(subject.names);
  const std::string own = certs::make_request(subject, key()).value();
  const auto again = certs::read_request(tls::encode_pem(as_bytes(own), certs::kRequestLabel));
  // Names that fit just so, with a smaller key.
  CHECK(again ? again->subject == subject : again.error().message.contains("too long"));
}

// Name and attributes are the input's, the signature is right.
std::string signed_request(std::string_view name, std::string_view attributes) {
  namespace der = certs::der;
  const std::string info = der::sequence(
      {der::integer(""), der::sequence({name}), key().public_key(), der::element(der::constructed(0), attributes)});
  return der::sequence({info, key().signature_algorithm(), der::bit_string(key().sign(info).value())});
}

void check_key(std::string_view pem) {
  const auto read = certs::SigningKey::read(pem);
  CHECK(read || is_safe(read.error()));
  if (!read) return;
  const auto again = certs::SigningKey::read(read->to_pem(certs::KeyEncoding::pkcs8).value());
  CHECK(again && again->public_key() == read->public_key());
}

void check_pem(std::string_view text) {
  check_request(text);
  check_key(text);
  if (const auto facts = certs::read_facts(text); !facts) CHECK(is_safe(facts.error()));
  if (const auto authority = certs::Authority::read(text, text); !authority) CHECK(is_safe(authority.error()));
}

void check_parts(ConstBytes bytes) {
  (void)certs::subject_key_identifier(bytes);
  (void)certs::authority_key_identifier(bytes);
  CHECK(certs::organisation_of(bytes).size() <= bytes.size());
  if (const auto name = certs::read_common_name(bytes)) CHECK(!config::find_bad_byte(*name));
  if (const auto names = certs::read_general_names(bytes)) check_names(*names);
  (void)certs::read_public_key(bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Program program({reinterpret_cast<const char*>(data), size});
  const size_t way = program.number(5);
  const size_t name_size = way == 0 ? program.number(256) : 0;
  const std::string_view rest = program.rest();
  switch (way) {
    case 0: {
      const std::string_view name = rest.substr(0, name_size);
      check_request(tls::encode_pem(as_bytes(signed_request(name, rest.substr(name.size()))), certs::kRequestLabel));
      break;
    }
    case 1: check_request(tls::encode_pem(as_bytes(rest), certs::kRequestLabel)); break;
    case 2: check_key(tls::encode_pem(as_bytes(rest), "PRIVATE KEY")); break;
    case 3: check_parts(as_bytes(rest)); break;
    default: check_pem(rest);
  }
  return 0;
}
