// Session tickets: what is opened is what was sealed, to the last bit. And as whoever knows the key of a Secret can
// write what they like into a ticket, such tickets, too, are only ever opened inside of their own bytes.
#include "hostile_peer/fixed_random.h"
#include "hostile_peer/program.h"

#include "base/check.h"
#include "tls/ticket_keys.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace sluice;
using tls::TicketKeyring;

namespace {

constexpr size_t kBytesMax = 600;
// Of the Secret: name, HMAC key, AES key (tls/ticket_keys.h).
const std::string kSecret = std::string(16, 'n') + std::string(32, 'h') + std::string(32, 'e');
const tls::TicketBinding kBinding{1, 2, 3};

TicketKeyring& keyring() {
  static const std::shared_ptr<TicketKeyring> made = [] {
    snapshot::TicketKeys keys;
    keys.current = kSecret;
    return *TicketKeyring::create(keys);
  }();
  return *made;
}

WallTime now() { return WallTime(std::chrono::seconds(1'800'000'000)); }

struct Ticket {
  std::array<std::byte, tls::ticket_name_bytes> name{};
  std::array<std::byte, tls::ticket_iv_bytes> iv{};
  std::array<std::byte, tls::ticket_mac_bytes> mac{};
  std::vector<std::byte> encrypted;

  [[nodiscard]] tls::TicketFields fields() { return {.name = name, .iv = iv, .mac = mac}; }
  [[nodiscard]] TicketKeyring::Opened open() { return keyring().open(kBinding, now(), fields(), encrypted); }

  friend bool operator==(const Ticket&, const Ticket&) = default;
};

void copy_to(std::span<std::byte> to, std::string_view text) {
  std::ranges::copy(as_bytes(text.substr(0, to.size())), to.begin());
}

void change(Ticket& ticket, fuzz::Program& program) {
  const std::array<std::span<std::byte>, 4> parts{ticket.encrypted, ticket.name, ticket.iv, ticket.mac};
  const size_t part = program.number(parts.size() + 1);
  if (part == parts.size()) {
    ticket.encrypted.resize(program.number(kBytesMax));
  } else if (!parts[part].empty()) {
    parts[part][program.number(parts[part].size())] = static_cast<std::byte>(program.byte());
  }
}

void seal_and_change(fuzz::Program& program) {
  const std::string state = program.text(program.number(kBytesMax));
  Ticket ticket;
  ticket.encrypted.resize(TicketKeyring::sealed_bytes(state.size()));
  copy_to(ticket.encrypted, state);
  CHECK(keyring().seal(kBinding, now(), now(), ticket.fields(), ticket.encrypted, state.size()));
  const Ticket sealed = ticket;
  while (!program.is_at_end()) change(ticket, program);
  const bool is_same = ticket == sealed;
  const TicketKeyring::Opened opened = ticket.open();
  CHECK((opened.status == TicketKeyring::OpenStatus::opened) == is_same);
  if (is_same) CHECK(as_text(ConstBytes(ticket.encrypted).first(opened.state_size)) == state);
}

// --- With the key ----------------------------------------------------------------------------------

void encrypt(std::vector<std::byte>& bytes, std::span<const std::byte> iv) {
  const auto as_openssl = [](auto* data) { return reinterpret_cast<const unsigned char*>(data); };
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  CHECK(EVP_EncryptInit_ex(context.get(), EVP_aes_256_cbc(), nullptr, as_openssl(kSecret.data() + 48),
                           as_openssl(iv.data())) == 1);
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  int size = 0;
  CHECK(EVP_EncryptUpdate(context.get(), reinterpret_cast<unsigned char*>(bytes.data()), &size,
                          as_openssl(bytes.data()), static_cast<int>(bytes.size())) == 1);
}

void authenticate(Ticket& ticket) {
  std::string text(as_text(std::as_bytes(std::span(kBinding))));
  text += as_text(ticket.name);
  text += as_text(ticket.iv);
  text += static_cast<char>(ticket.encrypted.size() >> 8);
  text += static_cast<char>(ticket.encrypted.size());
  text += as_text(ticket.encrypted);
  unsigned size = 0;
  CHECK(HMAC(EVP_sha256(), kSecret.data() + 16, 32, reinterpret_cast<const unsigned char*>(text.data()), text.size(),
             reinterpret_cast<unsigned char*>(ticket.mac.data()), &size) != nullptr);
}

void open_what_a_key_holder_made(fuzz::Program& program) {
  Ticket ticket;
  copy_to(ticket.name, kSecret);
  ticket.encrypted.resize(program.number(kBytesMax));
  if (program.number(4) != 3) ticket.encrypted.resize(ticket.encrypted.size() / 16 * 16);
  const std::string text = program.text(ticket.encrypted.size());
  std::copy_backward(as_bytes(text).begin(), as_bytes(text).end(), ticket.encrypted.end());  // the end is what is read
  const std::vector<std::byte> plain = ticket.encrypted;
  if (plain.size() % 16 == 0) encrypt(ticket.encrypted, ticket.iv);
  authenticate(ticket);
  const TicketKeyring::Opened opened = ticket.open();
  if (opened.status == TicketKeyring::OpenStatus::rejected) return;
  CHECK(opened.state_size + sizeof(int64_t) < plain.size());
  CHECK(std::ranges::equal(ConstBytes(ticket.encrypted).first(opened.state_size),
                           ConstBytes(plain).first(opened.state_size)));
}

void open_anything(fuzz::Program& program) {
  Ticket ticket;
  copy_to(ticket.name, program.number(2) == 0 ? kSecret : program.text(ticket.name.size()));
  copy_to(ticket.iv, program.text(ticket.iv.size()));
  copy_to(ticket.mac, program.text(ticket.mac.size()));
  ticket.encrypted.resize(program.rest().size());
  copy_to(ticket.encrypted, program.rest());
  CHECK(ticket.open().status == TicketKeyring::OpenStatus::rejected);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  fuzz::restart_random(3);
  fuzz::Program program({reinterpret_cast<const char*>(data), size});
  switch (program.number(3)) {
    case 0: seal_and_change(program); break;
    case 1: open_what_a_key_holder_made(program); break;
    default: open_anything(program);
  }
  return 0;
}
