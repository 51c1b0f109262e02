#include "tls/ticket_keys.h"

#include "base/limits.h"
#include "base/random.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace sluice::tls {
namespace {

using namespace std::chrono_literals;
using OpenStatus = TicketKeyring::OpenStatus;

constexpr WallTime kStart{std::chrono::sys_days(std::chrono::year(2026) / 11 / 25)};
constexpr TicketBinding kBinding{1, 2, 3};

std::string key_bytes(size_t size, uint64_t seed) {
  Random random(seed);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random.next() >> 56);
  return text;
}

std::shared_ptr<TicketKeyring> own(WallTime now = kStart) {
  auto keyring = TicketKeyring::create(now);
  EXPECT_TRUE(keyring);
  return *keyring;
}

std::shared_ptr<TicketKeyring> shared(const std::string& current, const std::string& previous = {}) {
  snapshot::TicketKeys keys;
  keys.current = current;
  keys.previous = previous;
  keys.secret_name = "istio-system/tickets";
  auto keyring = TicketKeyring::create(keys);
  EXPECT_TRUE(keyring) << keyring.error().message;
  return *keyring;
}

std::string refusal(const std::string& current, const std::string& previous = {}) {
  snapshot::TicketKeys keys;
  keys.current = current;
  keys.previous = previous;
  keys.secret_name = "istio-system/tickets";
  const auto keyring = TicketKeyring::create(keys);
  return keyring ? "accepted" : keyring.error().message;
}

// A ticket as one string: name, IV, MAC, what is encrypted.
struct Ticket {
  std::string bytes;

  [[nodiscard]] TicketFields fields() {
    auto* start = reinterpret_cast<std::byte*>(bytes.data());
    return {.name = std::span<std::byte, 16>(start, 16),
            .iv = std::span<std::byte, 16>(start + 16, 16),
            .mac = std::span<std::byte, 32>(start + 32, 32)};
  }
  [[nodiscard]] MutableBytes encrypted() { return std::as_writable_bytes(std::span(bytes)).subspan(64); }
};

Ticket seal(TicketKeyring& keyring, std::string_view state, WallTime now = kStart, WallTime authenticated_at = kStart,
            const TicketBinding& binding = kBinding) {
  Ticket ticket{std::string(64, '\0') + std::string(state)};
  ticket.bytes.resize(64 + TicketKeyring::sealed_bytes(state.size()));
  EXPECT_TRUE(keyring.seal(binding, authenticated_at, now, ticket.fields(), ticket.encrypted(), state.size()));
  return ticket;
}

// By value: opening decrypts in place.
std::pair<OpenStatus, std::string> open(TicketKeyring& keyring, Ticket ticket, WallTime now = kStart,
                                        const TicketBinding& binding = kBinding) {
  const auto opened = keyring.open(binding, now, ticket.fields(), ticket.encrypted());
  return {opened.status, std::string(as_text(ticket.encrypted().first(opened.state_size)))};
}

using Result = std::pair<OpenStatus, std::string>;
const Result kRejected{OpenStatus::rejected, ""};

TEST(TicketKeyring, OpensWhatItSealedWithStateOfAnySize) {
  const auto keyring = own();
  for (size_t size = 0; size < 100; ++size) {
    const std::string state = key_bytes(size, size);
    Ticket ticket = seal(*keyring, state);
    EXPECT_EQ(ticket.encrypted().size() % 16, 0U);
    if (size >= 8) {
      EXPECT_FALSE(ticket.bytes.contains(state));
    }
    EXPECT_EQ(open(*keyring, ticket), Result(OpenStatus::opened, state));
  }
}

TEST(TicketKeyring, SealsTheSameStateDifferentlyEveryTime) {
  const auto keyring = own();
  Ticket first = seal(*keyring, "the same state");
  Ticket second = seal(*keyring, "the same state");
  EXPECT_EQ(first.bytes.substr(0, 16), second.bytes.substr(0, 16));  // the key's name
  EXPECT_NE(first.bytes.substr(16), second.bytes.substr(16));
  EXPECT_NE(as_text(first.encrypted()), as_text(second.encrypted()));
}

TEST(TicketKeyring, TellsWhenTheSessionHadItsFullHandshake) {
  const auto keyring = own();
  Ticket ticket = seal(*keyring, "state", kStart, kStart - 40min);
  const auto opened = keyring->open(kBinding, kStart, ticket.fields(), ticket.encrypted());
  EXPECT_EQ(opened.status, OpenStatus::opened);
  EXPECT_EQ(opened.authenticated_at, kStart - 40min);
}

TEST(TicketKeyring, RejectsATicketWithAnyBitChanged) {
  const auto keyring = shared(key_bytes(80, 1), key_bytes(48, 2));
  const Ticket ticket = seal(*keyring, key_bytes(76, 3));
  ASSERT_EQ(open(*keyring, ticket).first, OpenStatus::opened);
  for (size_t i = 0; i < ticket.bytes.size() * 8; ++i) {
    Ticket changed = ticket;
    changed.bytes[i / 8] = static_cast<char>(changed.bytes[i / 8] ^ (1 << i % 8));
    EXPECT_EQ(open(*keyring, changed), kRejected) << "bit " << i;
  }
}

TEST(TicketKeyring, RejectsATicketThatIsShorterOrLonger) {
  const auto keyring = own();
  const Ticket ticket = seal(*keyring, key_bytes(76, 3));
  for (size_t size = 64; size < ticket.bytes.size(); ++size)
    EXPECT_EQ(open(*keyring, Ticket{ticket.bytes.substr(0, size)}), kRejected) << size;
  for (size_t more = 1; more <= 64; ++more)
    EXPECT_EQ(open(*keyring, Ticket{ticket.bytes + std::string(more, 'x')}), kRejected) << more;
}

TEST(TicketKeyring, RejectsRandomTicketsUnderTheNameOfItsKey) {
  const auto keyring = own();
  const std::string name = seal(*keyring, "state").bytes.substr(0, 16);
  Random random(7);
  for (unsigned i = 0; i < 10'000; ++i)
    ASSERT_EQ(open(*keyring, Ticket{name + key_bytes(48 + random.below(300), i)}), kRejected);
}

TEST(TicketKeyring, RejectsTheTicketOfAnotherServer) {
  const auto keyring = own();
  const Ticket ticket = seal(*keyring, "state");
  for (size_t i = 0; i < kBinding.size(); ++i) {
    TicketBinding other = kBinding;
    other[i] ^= 0x80;
    EXPECT_EQ(open(*keyring, ticket, kStart, other), kRejected);
  }
}

TEST(TicketKeyring, RejectsTheTicketOfAnotherProcessWithKeysOfItsOwn) {
  EXPECT_EQ(open(*own(), seal(*own(), "state")), kRejected);
}

TEST(TicketKeyring, DoesNotSealIntoTooSmallABufferAndLeavesNoStateThere) {
  const auto keyring = own();
  Ticket ticket{std::string(64, '\0') + std::string(76, 's')};
  EXPECT_FALSE(keyring->seal(kBinding, kStart, kStart, ticket.fields(), ticket.encrypted(), 76));
  EXPECT_FALSE(ticket.bytes.contains('s'));
}

// --- age ---

TEST(TicketKeyring, RejectsASessionWhoseFullHandshakeIsTooLongAgo) {
  const auto keyring = shared(key_bytes(80, 1));
  const Ticket ticket = seal(*keyring, "state", kStart, kStart);
  EXPECT_EQ(open(*keyring, ticket, kStart + limits::session_lifetime).first, OpenStatus::opened);
  EXPECT_EQ(open(*keyring, ticket, kStart + limits::session_lifetime + 1s), kRejected);
  // However fresh the ticket itself is.
  EXPECT_EQ(open(*keyring, seal(*keyring, "state", kStart + 2h, kStart), kStart + 2h + 1s), kRejected);
}

TEST(TicketKeyring, TakesATicketFromALittleInTheFutureAndNoneFromFurther) {
  const auto keyring = shared(key_bytes(80, 1));
  EXPECT_EQ(open(*keyring, seal(*keyring, "state", kStart + 5min, kStart + 5min)).first, OpenStatus::opened);
  EXPECT_EQ(open(*keyring, seal(*keyring, "state", kStart + 6min, kStart + 6min)), kRejected);
}

// --- rotation ---

TEST(TicketKeyring, OpensWithThePreviousKeyForOneMoreLifetime) {
  const auto keyring = own();
  const Ticket ticket = seal(*keyring, "state");
  const WallTime last_of_first = kStart + limits::ticket_key_lifetime - 1s;
  EXPECT_EQ(open(*keyring, ticket, last_of_first).first, OpenStatus::opened);
  const Ticket late = seal(*keyring, "late", last_of_first, last_of_first);

  const WallTime rotated = kStart + limits::ticket_key_lifetime;
  EXPECT_EQ(open(*keyring, ticket, rotated), Result(OpenStatus::opened_by_previous_key, "state"));
  const Ticket next = seal(*keyring, "next", rotated, rotated);
  EXPECT_NE(next.bytes.substr(0, 16), ticket.bytes.substr(0, 16));
  EXPECT_EQ(open(*keyring, next, rotated).first, OpenStatus::opened);

  const WallTime last_of_second = rotated + limits::ticket_key_lifetime - 1s;
  EXPECT_EQ(open(*keyring, late, last_of_second).first, OpenStatus::opened_by_previous_key);
  EXPECT_EQ(open(*keyring, late, rotated + limits::ticket_key_lifetime), kRejected);
  EXPECT_EQ(open(*keyring, next, rotated + limits::ticket_key_lifetime).first, OpenStatus::opened_by_previous_key);
}

TEST(TicketKeyring, ForgetsBothKeysWhenNobodyCameForLong) {
  const auto keyring = own();
  const Ticket ticket = seal(*keyring, "state");
  keyring->rotate(kStart + 2 * limits::ticket_key_lifetime);
  EXPECT_EQ(open(*keyring, ticket, kStart + 1min), kRejected);
}

TEST(TicketKeyring, KeepsItsKeyWhenOneThreadReadTheClockALittleEarlier) {
  const auto keyring = own();
  const Ticket ticket = seal(*keyring, "state", kStart - 1ms);
  EXPECT_EQ(open(*keyring, ticket, kStart + 1ms).first, OpenStatus::opened);
}

TEST(TicketKeyring, DoesNotKeepAKeyForAsLongAsAClockWasSetBack) {
  const auto keyring = own();
  const Ticket ticket = seal(*keyring, "state");
  keyring->rotate(kStart - 24h);
  EXPECT_EQ(open(*keyring, ticket, kStart - 24h), kRejected);
}

TEST(TicketKeyring, NeverRotatesKeysOfASecret) {
  const auto keyring = shared(key_bytes(80, 1));
  keyring->rotate(kStart + 240h);
  EXPECT_EQ(open(*keyring, seal(*shared(key_bytes(80, 1)), "state")).first, OpenStatus::opened);
}

TEST(TicketKeyring, SealsAndOpensInSeveralThreadsThroughRotations) {
  const auto keyring = own();
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&keyring, t] {
      for (unsigned i = 0; i < 500; ++i) {
        const WallTime now = kStart + i * 10min + t * 1ms;
        const Ticket ticket = seal(*keyring, "state", now, now);
        // Rejected when the other threads are two rotations further.
        const auto [status, state] = open(*keyring, ticket, now);
        EXPECT_TRUE(status == OpenStatus::rejected || state == "state");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// --- keys of a Secret ---

TEST(TicketKeyring, OpensTicketsOfOtherProcessesWithTheSameSecret) {
  for (const size_t size : {48U, 80U}) {
    EXPECT_EQ(open(*shared(key_bytes(size, 1)), seal(*shared(key_bytes(size, 1)), "state")),
              Result(OpenStatus::opened, "state"));
  }
}

TEST(TicketKeyring, OpensTicketsAcrossAChangeOfTheSecretInBothDirections) {
  const std::string first = key_bytes(48, 1);
  const std::string second = key_bytes(80, 2);
  const auto before = shared(first, second);  // the new key is handed out as "previous" first, then it seals
  const auto after = shared(second, first);
  EXPECT_EQ(open(*after, seal(*before, "state")), Result(OpenStatus::opened_by_previous_key, "state"));
  EXPECT_EQ(open(*before, seal(*after, "state")), Result(OpenStatus::opened_by_previous_key, "state"));
  EXPECT_EQ(open(*shared(second), seal(*before, "state")), kRejected);
}

TEST(TicketKeyring, TellsKeysOfTheSameNameApart) {
  const std::string first = key_bytes(48, 1);
  const std::string second = first.substr(0, 16) + key_bytes(64, 2);
  EXPECT_EQ(open(*shared(second, first), seal(*shared(first), "state")).first, OpenStatus::opened_by_previous_key);
}

TEST(TicketKeyring, RefusesKeysOfAnotherSizeByName) {
  EXPECT_EQ(refusal(key_bytes(47, 1)),
            "istio-system/tickets: current has 47 bytes; a ticket key is 48 or 80 random bytes, for example from "
            "'openssl rand 80'");
  EXPECT_EQ(refusal("").substr(0, 42), "istio-system/tickets: current has 0 bytes;");
  EXPECT_EQ(refusal(key_bytes(80, 1), key_bytes(81, 1)).substr(0, 44), "istio-system/tickets: previous has 81 bytes;");
  EXPECT_TRUE(refusal(std::string(16, '\0') + key_bytes(32, 1)).contains("begins with 16 zero bytes"));
}

}  // namespace
}  // namespace sluice::tls
