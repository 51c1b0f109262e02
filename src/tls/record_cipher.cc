#include "tls/record_cipher.h"

#include "base/check.h"
#include "base/constant_time.h"

#ifdef SLUICE_HAS_IPSEC_MB

#include <intel-ipsec-mb.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

namespace sluice::tls {

namespace {

constexpr size_t kSchedules = 512;  // 0.5 MiB per thread that protects records

struct FreeLibrary {
  void operator()(IMB_MGR* library) const noexcept { free_mb_mgr(library); }
};
using Library = std::unique_ptr<IMB_MGR, FreeLibrary>;

Library load_library() noexcept {
  Library library(alloc_mb_mgr(0));
  if (library != nullptr) init_mb_mgr_auto(library.get(), nullptr);
  return library;
}

// A key with its schedule, which takes four times as long to make as a small record to encrypt. Direct-mapped:
// keys are random, two that meet push each other out, and nothing has to be told when a connection ends.
struct Schedule {
  std::array<std::byte, 32> key;
  size_t key_bytes = 0;               // 0: unused
  alignas(64) gcm_key_data expanded;  // written with aligned stores, and not declared so
};

class Schedules {
 public:
  Schedules() : library_(load_library()), entries_(std::make_unique<std::array<Schedule, kSchedules>>()) {
    CHECK(library_ != nullptr);
  }
  Schedules(const Schedules&) = delete;
  Schedules& operator=(const Schedules&) = delete;
  ~Schedules() { explicit_bzero(entries_.get(), sizeof *entries_); }

  [[nodiscard]] IMB_MGR* library() const noexcept { return library_.get(); }

  const gcm_key_data& of(ConstBytes key) noexcept {
    uint64_t start = 0;
    std::memcpy(&start, key.data(), sizeof start);
    Schedule& entry = (*entries_)[start % kSchedules];
    if (entry.key_bytes != key.size() || std::memcmp(entry.key.data(), key.data(), key.size()) != 0) {
      if (key.size() == 16) {
        IMB_AES128_GCM_PRE(library(), key.data(), &entry.expanded);
      } else {
        IMB_AES256_GCM_PRE(library(), key.data(), &entry.expanded);
      }
      std::memcpy(entry.key.data(), key.data(), key.size());
      entry.key_bytes = key.size();
    }
    return entry.expanded;
  }

 private:
  Library library_;
  std::unique_ptr<std::array<Schedule, kSchedules>> entries_;
};

Schedules& schedules() {
  static thread_local Schedules instance;
  return instance;
}

const uint8_t* in(const std::byte* bytes) noexcept { return reinterpret_cast<const uint8_t*>(bytes); }
uint8_t* out(std::byte* bytes) noexcept { return reinterpret_cast<uint8_t*>(bytes); }

}  // namespace

bool can_protect_records() noexcept {
  static const bool can = [] {
    const Library library = load_library();
    constexpr uint64_t kNeeded = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ | IMB_FEATURE_AESNI;
    return library != nullptr && imb_get_errno(library.get()) == 0 && (library->features & kNeeded) == kNeeded;
  }();
  return can;
}

void encrypt_record(ConstBytes key, const std::byte* nonce, ConstBytes associated, ConstBytes input, std::byte* output,
                    std::byte* tag) noexcept {
  Schedules& known = schedules();
  const gcm_key_data& schedule = known.of(key);
  gcm_context_data state;
  if (key.size() == 16) {
    IMB_AES128_GCM_ENC(known.library(), &schedule, &state, out(output), in(input.data()), input.size(), in(nonce),
                       in(associated.data()), associated.size(), out(tag), gcm_tag_bytes);
  } else {
    IMB_AES256_GCM_ENC(known.library(), &schedule, &state, out(output), in(input.data()), input.size(), in(nonce),
                       in(associated.data()), associated.size(), out(tag), gcm_tag_bytes);
  }
}

void encrypt_record(ConstBytes key, const std::byte* nonce, ConstBytes associated, ConstBytes content, std::byte type,
                    std::byte* output, std::byte* tag) noexcept {
  Schedules& known = schedules();
  IMB_MGR* library = known.library();
  const gcm_key_data& schedule = known.of(key);
  gcm_context_data state;
  uint8_t* last = out(output) + content.size();
  if (key.size() == 16) {
    IMB_AES128_GCM_INIT(library, &schedule, &state, in(nonce), in(associated.data()), associated.size());
    IMB_AES128_GCM_ENC_UPDATE(library, &schedule, &state, out(output), in(content.data()), content.size());
    IMB_AES128_GCM_ENC_UPDATE(library, &schedule, &state, last, in(&type), 1);
    IMB_AES128_GCM_ENC_FINALIZE(library, &schedule, &state, out(tag), gcm_tag_bytes);
  } else {
    IMB_AES256_GCM_INIT(library, &schedule, &state, in(nonce), in(associated.data()), associated.size());
    IMB_AES256_GCM_ENC_UPDATE(library, &schedule, &state, out(output), in(content.data()), content.size());
    IMB_AES256_GCM_ENC_UPDATE(library, &schedule, &state, last, in(&type), 1);
    IMB_AES256_GCM_ENC_FINALIZE(library, &schedule, &state, out(tag), gcm_tag_bytes);
  }
}

bool decrypt_record(ConstBytes key, const std::byte* nonce, ConstBytes associated, ConstBytes input,
                    const std::byte* tag, std::byte* output) noexcept {
  Schedules& known = schedules();
  const gcm_key_data& schedule = known.of(key);
  gcm_context_data state;
  std::array<std::byte, gcm_tag_bytes> expected;
  if (key.size() == 16) {
    IMB_AES128_GCM_DEC(known.library(), &schedule, &state, out(output), in(input.data()), input.size(), in(nonce),
                       in(associated.data()), associated.size(), out(expected.data()), gcm_tag_bytes);
  } else {
    IMB_AES256_GCM_DEC(known.library(), &schedule, &state, out(output), in(input.data()), input.size(), in(nonce),
                       in(associated.data()), associated.size(), out(expected.data()), gcm_tag_bytes);
  }
  if (are_equal_in_constant_time(expected, ConstBytes(tag, gcm_tag_bytes))) return true;
  explicit_bzero(output, input.size());
  return false;
}

}  // namespace sluice::tls

#else

namespace sluice::tls {

bool can_protect_records() noexcept { return false; }

void encrypt_record(ConstBytes /*key*/, const std::byte* /*nonce*/, ConstBytes /*associated*/, ConstBytes /*input*/,
                    std::byte* /*output*/, std::byte* /*tag*/) noexcept {
  UNREACHABLE();
}

void encrypt_record(ConstBytes /*key*/, const std::byte* /*nonce*/, ConstBytes /*associated*/, ConstBytes /*content*/,
                    std::byte /*type*/, std::byte* /*output*/, std::byte* /*tag*/) noexcept {
  UNREACHABLE();
}

bool decrypt_record(ConstBytes /*key*/, const std::byte* /*nonce*/, ConstBytes /*associated*/, ConstBytes /*input*/,
                    const std::byte* /*tag*/, std::byte* /*output*/) noexcept {
  UNREACHABLE();
}

}  // namespace sluice::tls

#endif
