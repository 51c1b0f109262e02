#include "tls/ticket_keys.h"

#include "base/check.h"
#include "base/constant_time.h"
#include "base/limits.h"
#include "base/locked_memory.h"
#include "base/wipe.h"

#include <wolfssl/options.h>  // before any other header of wolfSSL

#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/hmac.h>

#include <fmt/format.h>

#include <sys/random.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

namespace sluice::tls {

namespace {

constexpr size_t kSmallKeyBytes = 48;  // name 16, HMAC key 16, AES-128 key 16
constexpr size_t kLargeKeyBytes = 80;  // name 16, HMAC key 32, AES-256 key 32
constexpr size_t kBlockBytes = AES_BLOCK_SIZE;
constexpr size_t kTimeBytes = sizeof(int64_t);
// How far the clocks of processes that share keys may differ. A ticket from further in the future was made
// before our clock was set back: its age is not known.
constexpr Duration kClockSkewMax = std::chrono::minutes(5);

static_assert(ticket_iv_bytes == kBlockBytes && ticket_mac_bytes == WC_SHA256_DIGEST_SIZE);

const byte* as_wolfssl(ConstBytes bytes) noexcept { return reinterpret_cast<const byte*>(bytes.data()); }
byte* as_wolfssl(MutableBytes bytes) noexcept { return reinterpret_cast<byte*>(bytes.data()); }
word32 size_of(ConstBytes bytes) noexcept { return static_cast<word32>(bytes.size()); }

// getrandom(2) gives up to 256 bytes whole or not at all.
bool fill_randomly(MutableBytes bytes) noexcept {
  DCHECK(bytes.size() <= 256);
  return getrandom(bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size());
}

// Big-endian.
void put_integer(MutableBytes to, uint64_t value) noexcept {
  for (size_t i = to.size(); i-- > 0; value >>= 8) to[i] = static_cast<std::byte>(value);
}

uint64_t get_integer(ConstBytes from) noexcept {
  uint64_t value = 0;
  for (const std::byte byte : from) value = value << 8 | std::to_integer<uint64_t>(byte);
  return value;
}

// AES-CBC in place with one key. wolfCrypt's object holds the key schedule, hence the wiping.
class Cipher {
 public:
  Cipher(ConstBytes key, ConstBytes iv, int direction) noexcept {
    ok_ = wc_AesInit(&aes_, nullptr, INVALID_DEVID) == 0 &&
          wc_AesSetKey(&aes_, as_wolfssl(key), size_of(key), as_wolfssl(iv), direction) == 0;
  }
  Cipher(const Cipher&) = delete;
  Cipher& operator=(const Cipher&) = delete;
  ~Cipher() {
    wc_AesFree(&aes_);
    explicit_bzero(&aes_, sizeof aes_);
  }

  [[nodiscard]] bool encrypt(MutableBytes bytes) noexcept {
    return ok_ && wc_AesCbcEncrypt(&aes_, as_wolfssl(bytes), as_wolfssl(bytes), size_of(bytes)) == 0;
  }
  [[nodiscard]] bool decrypt(MutableBytes bytes) noexcept {
    return ok_ && wc_AesCbcDecrypt(&aes_, as_wolfssl(bytes), as_wolfssl(bytes), size_of(bytes)) == 0;
  }

 private:
  Aes aes_{};
  bool ok_;
};

}  // namespace

struct TicketKeyring::Key {
  LockedMemory memory;  // kSmallKeyBytes or kLargeKeyBytes; never another size

  // Null when there is no memory.
  static std::shared_ptr<Key> allocate(size_t size) noexcept {
    std::shared_ptr<Key> key(new (std::nothrow) Key{LockedMemory::allocate(size)});
    if (key == nullptr || key->memory.is_empty()) return nullptr;
    return key;
  }

  static std::shared_ptr<const Key> make_random() noexcept {
    std::shared_ptr<Key> key = allocate(kLargeKeyBytes);
    if (key == nullptr || !fill_randomly(key->memory.bytes())) return nullptr;
    return key;
  }

  [[nodiscard]] ConstBytes name() const noexcept { return memory.bytes().first(ticket_name_bytes); }
  [[nodiscard]] ConstBytes hmac_key() const noexcept {
    return memory.bytes().subspan(ticket_name_bytes, secret_bytes());
  }
  [[nodiscard]] ConstBytes aes_key() const noexcept { return memory.bytes().last(secret_bytes()); }

  // False: the cryptography failed.
  [[nodiscard]] bool authenticate(const TicketBinding& binding, const TicketFields& fields, ConstBytes encrypted,
                                  MutableBytes mac) const noexcept {
    std::byte length[2];
    put_integer(length, encrypted.size());
    const ConstBytes parts[] = {std::as_bytes(std::span(binding)), fields.name, fields.iv, length, encrypted};
    Hmac hmac;
    bool ok = wc_HmacInit(&hmac, nullptr, INVALID_DEVID) == 0;
    if (!ok) return false;
    ok = wc_HmacSetKey(&hmac, WC_SHA256, as_wolfssl(hmac_key()), size_of(hmac_key())) == 0;
    for (const ConstBytes part : parts) ok = ok && wc_HmacUpdate(&hmac, as_wolfssl(part), size_of(part)) == 0;
    ok = ok && wc_HmacFinal(&hmac, as_wolfssl(mac)) == 0;
    wc_HmacFree(&hmac);
    explicit_bzero(&hmac, sizeof hmac);
    return ok;
  }

  [[nodiscard]] bool is_sealer_of(const TicketBinding& binding, const TicketFields& fields,
                                  ConstBytes encrypted) const noexcept {
    if (!std::ranges::equal(fields.name, name())) return false;
    std::byte expected[ticket_mac_bytes];
    return authenticate(binding, fields, encrypted, expected) && are_equal_in_constant_time(expected, fields.mac);
  }

 private:
  [[nodiscard]] size_t secret_bytes() const noexcept { return (memory.bytes().size() - ticket_name_bytes) / 2; }
};

// --- Keys --------------------------------------------------------------------------------------------

Result<std::shared_ptr<TicketKeyring>> TicketKeyring::create(WallTime now) {
  std::shared_ptr<const Key> key = Key::make_random();
  if (key == nullptr) return failure("making a key for session tickets: no memory, or no random numbers");
  return std::shared_ptr<TicketKeyring>(new TicketKeyring({std::move(key), nullptr}, true, now));
}

Result<std::shared_ptr<TicketKeyring>> TicketKeyring::create(const snapshot::TicketKeys& keys) {
  Keys made;
  const auto take = [&keys](std::string_view name, std::string_view text) -> Result<std::shared_ptr<const Key>> {
    const auto refuse = [&](std::string_view what) {
      return failure(fmt::format("{}: {} {}; a ticket key is 48 or 80 random bytes, for example from 'openssl rand 80'",
                                 keys.secret_name, name, what));
    };
    if (text.size() != kSmallKeyBytes && text.size() != kLargeKeyBytes)
      return refuse(fmt::format("has {} bytes", text.size()));
    // wolfSSL takes a name of zeros for one that was not set.
    if (std::ranges::all_of(text.substr(0, ticket_name_bytes), [](char c) { return c == '\0'; }))
      return refuse("begins with 16 zero bytes");
    std::shared_ptr<Key> key = Key::allocate(text.size());
    if (key == nullptr) return failure(fmt::format("{}: {}: no memory for the key", keys.secret_name, name));
    std::ranges::copy(as_bytes(text), key->memory.bytes().begin());
    return key;
  };
  Result<std::shared_ptr<const Key>> current = take("current", keys.current);
  if (!current) return std::unexpected(current.error());
  made.current = std::move(*current);
  if (!keys.previous.empty()) {
    Result<std::shared_ptr<const Key>> previous = take("previous", keys.previous);
    if (!previous) return std::unexpected(previous.error());
    made.previous = std::move(*previous);
  }
  return std::shared_ptr<TicketKeyring>(new TicketKeyring(std::move(made), false, {}));
}

TicketKeyring::TicketKeyring(Keys keys, bool rotates, WallTime current_since) noexcept
    : rotates_(rotates), keys_(std::move(keys)), current_since_(current_since) {}

TicketKeyring::~TicketKeyring() = default;

void TicketKeyring::rotate(WallTime now) noexcept {
  const std::scoped_lock lock(mutex_);
  rotate_locked(now);
}

TicketKeyring::Keys TicketKeyring::keys_at(WallTime now) noexcept {
  const std::scoped_lock lock(mutex_);
  rotate_locked(now);
  return keys_;
}

void TicketKeyring::rotate_locked(WallTime now) noexcept {
  // Shards read the clock before they come here, so that `now` may be a little before the last rotation; a
  // clock that was set back by more than a lifetime is no reason to keep a key for longer.
  const Duration age = now - current_since_;
  if (!rotates_ || (age < limits::ticket_key_lifetime && age > -limits::ticket_key_lifetime)) return;
  std::shared_ptr<const Key> next = Key::make_random();
  if (next == nullptr) return;  // without a key handshakes would fail: this one serves on, until there is memory
  const bool is_current_young = age > Duration::zero() && age < 2 * limits::ticket_key_lifetime;
  keys_.previous = is_current_young ? std::move(keys_.current) : nullptr;
  keys_.current = std::move(next);
  current_since_ = now;
}

// --- Sealing and opening -------------------------------------------------------------------------------

bool TicketKeyring::seal(const TicketBinding& binding, WallTime authenticated_at, WallTime now, TicketFields fields,
                         MutableBytes buffer, size_t state_size) noexcept {
  const size_t size = sealed_bytes(state_size);
  const Keys keys = keys_at(now);
  bool ok = size <= buffer.size() && fill_randomly(fields.iv);
  if (ok) {
    const MutableBytes sealed = buffer.first(size);
    const auto seconds = std::chrono::floor<std::chrono::seconds>(authenticated_at.time_since_epoch());
    put_integer(sealed.subspan(state_size, kTimeBytes), static_cast<uint64_t>(seconds.count()));
    const MutableBytes padding = sealed.subspan(state_size + kTimeBytes);
    std::ranges::fill(padding, static_cast<std::byte>(padding.size()));  // 1 to 16 bytes, as in PKCS #7
    std::ranges::copy(keys.current->name(), fields.name.begin());
    ok = Cipher(keys.current->aes_key(), fields.iv, AES_ENCRYPTION).encrypt(sealed) &&
         keys.current->authenticate(binding, fields, sealed, fields.mac);
  }
  if (!ok) wipe(buffer);
  return ok;
}

TicketKeyring::Opened TicketKeyring::open(const TicketBinding& binding, WallTime now, const TicketFields& fields,
                                          MutableBytes encrypted) noexcept {
  if (encrypted.size() < kBlockBytes || encrypted.size() % kBlockBytes != 0 || encrypted.size() > UINT16_MAX) return {};
  const Keys keys = keys_at(now);
  for (const auto& key : {keys.current, keys.previous}) {
    if (key == nullptr || !key->is_sealer_of(binding, fields, encrypted)) continue;
    // From here on the content is our own (or that of whoever knows the key: still nothing is taken for granted).
    if (!Cipher(key->aes_key(), fields.iv, AES_DECRYPTION).decrypt(encrypted)) return {};
    const auto padding = std::to_integer<size_t>(encrypted.back());
    if (padding == 0 || padding > kBlockBytes || encrypted.size() < padding + kTimeBytes) return {};
    const size_t state_size = encrypted.size() - padding - kTimeBytes;
    const auto seconds = static_cast<int64_t>(get_integer(encrypted.subspan(state_size, kTimeBytes)));
    if (seconds < 0) return {};
    const std::chrono::seconds age =
        std::chrono::floor<std::chrono::seconds>(now.time_since_epoch()) - std::chrono::seconds(seconds);
    if (age > limits::session_lifetime || age < -kClockSkewMax) return {};
    const auto status = key == keys.current ? OpenStatus::opened : OpenStatus::opened_by_previous_key;
    return {status, state_size, WallTime(std::chrono::seconds(seconds))};
  }
  return {};
}

}  // namespace sluice::tls
