// The certificates that a client shows, in any number and order, those of ours changed by the fuzzer's program or not.
// Only what the CA has signed is accepted, and not what it has taken back.
#include "hostile_peer/credentials.h"
#include "hostile_peer/der_tree.h"
#include "hostile_peer/program.h"

#include "base/check.h"
#include "tls/der.h"
#include "tls/peer_verifier.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <vector>

using namespace sluice;
using fuzz::Revocation;

namespace {

constexpr size_t kChainMax = 12;
constexpr size_t kTextBytesMax = 2000;

const tls::PeerVerifier& verifier_of(Revocation revocation) {
  static const auto with_list = *tls::PeerVerifier::create(fuzz::verification(Revocation::checked), tls::Side::client);
  static const auto without =
      *tls::PeerVerifier::create(fuzz::verification(Revocation::not_checked), tls::Side::client);
  return revocation == Revocation::checked ? *with_list : *without;
}

// What is signed. The rest could be written in other ways that mean the same.
std::string signed_part(std::string_view certificate) {
  ConstBytes bytes = as_bytes(certificate);
  const auto outer = tls::der::take(bytes);
  ConstBytes inside = outer ? outer->content : ConstBytes();
  const auto tbs = tls::der::take(inside);
  return tbs ? std::string(as_text(tbs->whole)) : "";
}

bool is_acceptable(const std::string& leaf, Revocation revocation) {
  const fuzz::Credentials& all = fuzz::credentials();
  const auto is = [&](const test::Pem& pem) { return signed_part(leaf) == signed_part(test::der_of(pem.certificate)); };
  if (revocation == Revocation::checked) return is(all.client);
  return is(all.client) || is(all.client_revoked) || is(all.client_by_intermediate);
}

std::string read_certificate(fuzz::Program& program) {
  const fuzz::Credentials& all = fuzz::credentials();
  static const std::array<std::string, 9> known{test::der_of(all.client.certificate),
                                                test::der_of(all.client_by_intermediate.certificate),
                                                test::der_of(all.intermediate_pem),
                                                test::der_of(all.client_of_others.certificate),
                                                test::der_of(all.client_revoked.certificate),
                                                test::der_of(all.server_ecdsa.certificate),
                                                test::der_of(all.server_by_intermediate.certificate),
                                                test::der_of(all.server_rsa.certificate),
                                                test::der_of(all.ca_pem)};
  const size_t choice = program.number(known.size() + 1);
  if (choice == known.size()) return program.text(program.number(kTextBytesMax));
  return fuzz::edit_der(known[choice], program);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::Program program({reinterpret_cast<const char*>(data), size});
  const auto revocation = program.number(2) == 0 ? Revocation::checked : Revocation::not_checked;
  std::vector<std::string> certificates(1 + program.number(kChainMax));
  for (std::string& certificate : certificates) certificate = read_certificate(program);
  const std::vector<ConstBytes> chain = [&] {
    std::vector<ConstBytes> views;
    for (const std::string& certificate : certificates) views.push_back(as_bytes(certificate));
    return views;
  }();
  const auto failure = verifier_of(revocation).verify(chain, "", std::chrono::system_clock::now());
  if (!failure) CHECK(is_acceptable(certificates.front(), revocation));
  if (failure) CHECK(std::ranges::all_of(failure->text, [](char c) { return c >= ' ' && c < '\x7f'; }));
  return 0;
}
