// src/dns by hand, for tests/integration/test_dns_challenges.py:
//   dns_probe present|cleanup NAMESERVER KEY_NAME ALGORITHM SECRET IDENTIFIER VALUE
//   dns_probe look-up NAMESERVER IDENTIFIER        one text on each line, after the name that aliases lead to
// Exit status 1: failed, with the error on stderr; 2: wrong usage.
#include "dns/challenge_name.h"
#include "dns/txt_lookup.h"
#include "dns/update.h"

#include <cstdio>
#include <span>
#include <string_view>

namespace {

using namespace sluice;

int fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return 1;
}

int update(dns::Change change, std::span<char*> words) {
  const Result<dns::Nameserver> server = dns::read_nameserver(words[0]);
  if (!server) return fail(server.error());
  const Result<dns::TsigKey> key = dns::read_tsig_key(words[1], words[2], words[3]);
  if (!key) return fail(key.error());
  const Status status =
      dns::update_txt({.nameserver = *server, .key = *key}, change, dns::challenge_name(words[4]), words[5], {});
  return status ? 0 : fail(status.error());
}

int look_up(std::span<char*> words) {
  const Result<dns::Nameserver> server = dns::read_nameserver(words[0]);
  if (!server) return fail(server.error());
  const Result<dns::TxtAnswer> answer = dns::look_up_txt(dns::challenge_name(words[1]), std::span(&*server, 1), {});
  if (!answer) return fail(answer.error());
  std::printf("%s\n", answer->name.c_str());
  for (const std::string& text : answer->texts) std::printf("%s\n", text.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::span words(argv, static_cast<size_t>(argc));
  const std::string_view action = argc > 1 ? words[1] : "";
  if (action == "present" && argc == 8) return update(dns::Change::add, words.subspan(2));
  if (action == "cleanup" && argc == 8) return update(dns::Change::remove, words.subspan(2));
  if (action == "look-up" && argc == 4) return look_up(words.subspan(2));
  std::fprintf(stderr, "usage: see the head of tests/support/dns_probe.cc\n");
  return 2;
}
