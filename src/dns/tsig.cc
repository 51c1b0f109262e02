#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/hmac.h>

#include "base/base64.h"
#include "base/text.h"
#include "base/wipe.h"
#include "dns/tsig.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <utility>

namespace sluice::dns {

namespace {

constexpr uint16_t kFudgeSeconds = 300;  // RFC 8945 10

struct Algorithm {
  std::string_view word;   // of cert-manager
  std::string_view label;  // its name is this one label (RFC 8945 6)
  int wolfcrypt;
  size_t mac_bytes;
};

// In the order of TsigAlgorithm.
constexpr Algorithm kAlgorithms[] = {
    {"HMACSHA1", "hmac-sha1", WC_SHA, 20},
    {"HMACSHA256", "hmac-sha256", WC_SHA256, 32},
    {"HMACSHA384", "hmac-sha384", WC_SHA384, 48},
    {"HMACSHA512", "hmac-sha512", WC_SHA512, 64},
};

const Algorithm& algorithm_of(const TsigKey& key) { return kAlgorithms[static_cast<size_t>(key.algorithm)]; }

std::string algorithm_name(const TsigKey& key) {
  const std::string_view label = algorithm_of(key).label;
  return static_cast<char>(label.size()) + std::string(label) + '\0';
}

Result<std::string> hmac(const TsigKey& key, std::initializer_list<std::string_view> pieces) {
  const Algorithm& algorithm = algorithm_of(key);
  std::string mac(algorithm.mac_bytes, '\0');
  Hmac state;
  int error = wc_HmacInit(&state, nullptr, INVALID_DEVID);
  if (error != 0) return failure("wolfCrypt has no HMAC: error " + std::to_string(error));
  error = wc_HmacSetKey(&state, algorithm.wolfcrypt, reinterpret_cast<const byte*>(key.secret.data()),
                        static_cast<word32>(key.secret.size()));
  for (const std::string_view piece : pieces) {
    if (error != 0) break;
    error = wc_HmacUpdate(&state, reinterpret_cast<const byte*>(piece.data()), static_cast<word32>(piece.size()));
  }
  if (error == 0) error = wc_HmacFinal(&state, reinterpret_cast<byte*>(mac.data()));
  wc_HmacFree(&state);
  explicit_bzero(&state, sizeof state);
  if (error != 0) return failure("wolfCrypt made no HMAC: error " + std::to_string(error));
  return mac;
}

// In constant time: how much of a MAC is right is nobody's business.
bool are_equal(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned>(static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]));
  }
  return difference == 0;
}

// The data of a TSIG record (RFC 8945 4.2).
struct Signature {
  std::string algorithm;  // wire form
  int64_t time = 0;       // seconds since 1970, 48 bits
  uint16_t fudge = kFudgeSeconds;
  std::string mac;
  uint16_t original_id = 0;
  uint16_t error = kNoError;
  std::string other;
};

void append_u48(std::string& bytes, int64_t value) {
  append_u16(bytes, static_cast<uint16_t>(value >> 32 & 0xffff));
  append_u32(bytes, static_cast<uint32_t>(value & 0xffffffff));
}

int64_t read_u48(ConstBytes bytes, size_t at) {
  return int64_t{read_u16(bytes, at)} << 32 | int64_t{read_u16(bytes, at + 2)} << 16 | read_u16(bytes, at + 4);
}

// RFC 8945 4.3.3: what is digested beside the message.
std::string tsig_variables(const TsigKey& key, const Signature& signature) {
  std::string bytes = key.name;
  append_u16(bytes, kClassAny);
  append_u32(bytes, 0);  // TTL
  bytes += signature.algorithm;
  append_u48(bytes, signature.time);
  append_u16(bytes, signature.fudge);
  append_u16(bytes, signature.error);
  append_u16(bytes, static_cast<uint16_t>(signature.other.size()));
  bytes += signature.other;
  return bytes;
}

Result<Signature> read_signature(ConstBytes message, const Record& record) {
  const size_t end = record.data_begin + record.data_size;
  size_t at = record.data_begin;
  Signature signature;
  Result<std::string> algorithm = read_name(message, at, end);
  if (!algorithm) return std::unexpected(std::move(algorithm.error()));
  signature.algorithm = std::move(*algorithm);
  if (end - at < 10) return failure("the TSIG record is too short");
  signature.time = read_u48(message, at);
  signature.fudge = read_u16(message, at + 6);
  const size_t mac_size = read_u16(message, at + 8);
  at += 10;
  if (end - at < mac_size + 6) return failure("the TSIG record is too short");
  signature.mac = as_text(message.subspan(at, mac_size));
  at += mac_size;
  signature.original_id = read_u16(message, at);
  signature.error = read_u16(message, at + 2);
  const size_t other_size = read_u16(message, at + 4);
  at += 6;
  if (end - at != other_size) return failure("the TSIG record has a wrong length");
  signature.other = as_text(message.subspan(at, other_size));
  return signature;
}

int64_t to_seconds(WallTime time) { return std::chrono::floor<std::chrono::seconds>(time.time_since_epoch()).count(); }

void set_u16(std::string& bytes, size_t at, unsigned value) {
  bytes[at] = static_cast<char>(value >> 8 & 0xff);
  bytes[at + 1] = static_cast<char>(value & 0xff);
}

// Of an answer that says, in the signature itself, that it does not accept ours (RFC 8945 5.2).
Status refusal(const TsigKey& key, const Signature& signature, int64_t now) {
  const std::string name = name_text(key.name);
  switch (signature.error) {
    case kNoError: return {};
    case kBadKey:
      return failure(fmt::format(
          "it does not know the TSIG key {} with the algorithm {}, or not for this zone (BADKEY); give it the key, or "
          "write the name and the algorithm as it has them",
          name, algorithm_of(key).word));
    case kBadSig:
      return failure(fmt::format("it has another secret for the TSIG key {} (BADSIG); use its secret", name));
    case kBadTime: {
      if (signature.other.size() != 6) return failure("its clock is another one than ours (BADTIME); set the clocks");
      const int64_t theirs = read_u48(as_bytes(signature.other), 0);
      return failure(fmt::format("its clock is {} s {} ours (BADTIME); set the clocks", std::abs(theirs - now),
                                 theirs > now ? "ahead of" : "behind"));
    }
    default: return failure(fmt::format("it does not accept the signature ({})", rcode_text(signature.error)));
  }
}

std::string upper(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return result;
}

}  // namespace

TsigKey::~TsigKey() { wipe(secret); }

Result<TsigKey> read_tsig_key(std::string_view name, std::string_view algorithm, std::string_view secret) {
  TsigKey key;
  Result<std::string> wire_name = to_wire_name(name);
  if (!wire_name) return failure("the TSIG key's name is no domain name: " + wire_name.error().message);
  key.name = std::move(*wire_name);

  if (!algorithm.empty()) {
    const std::string word = upper(algorithm);
    const auto* found = std::ranges::find(kAlgorithms, word, &Algorithm::word);
    if (found == std::end(kAlgorithms)) {
      // RFC 8945 6: HMACMD5 must not be used.
      return failure(std::string(word == "HMACMD5" ? "TSIG with MD5 is not secure"
                                                   : "the algorithm of the TSIG key is unknown here") +
                     "; write HMACSHA256 (or HMACSHA512, HMACSHA384, HMACSHA1) and make a key of it");
    }
    key.algorithm = static_cast<TsigAlgorithm>(found - std::begin(kAlgorithms));
  }

  secret = trimmed(secret);
  Base64Reader reader;
  size_t size = 0;
  key.secret.resize(secret.size() / 4 * 3 + 4);
  const auto room = MutableBytes(reinterpret_cast<std::byte*>(key.secret.data()), key.secret.size());
  if (!reader.read(secret, room, size) || !reader.is_complete() || size == 0) {
    return failure("the secret of the TSIG key is no base64 text; write it as the name server's configuration has it");
  }
  key.secret.resize(size);
  return key;
}

Result<std::string> sign(std::string& message, const TsigKey& key, WallTime now) {
  Signature signature;
  signature.algorithm = algorithm_name(key);
  signature.time = to_seconds(now);
  signature.original_id = read_u16(as_bytes(message), 0);
  Result<std::string> mac = hmac(key, {message, tsig_variables(key, signature)});
  if (!mac) return mac;

  std::string data = signature.algorithm;
  append_u48(data, signature.time);
  append_u16(data, signature.fudge);
  append_u16(data, static_cast<uint16_t>(mac->size()));
  data += *mac;
  append_u16(data, signature.original_id);
  append_u16(data, kNoError);
  append_u16(data, 0);  // of other data

  set_u16(message, 10, read_u16(as_bytes(message), 10) + 1U);
  message += key.name;
  append_u16(message, kTypeTsig);
  append_u16(message, kClassAny);
  append_u32(message, 0);
  append_u16(message, static_cast<uint16_t>(data.size()));
  message += data;
  return mac;
}

bool is_signed(const Message& message) {  // RFC 8945 5.1: the last record
  return !message.additional.empty() && message.additional.back().type == kTypeTsig;
}

Status verify(ConstBytes bytes, const Message& message, const TsigKey& key, std::string_view request_mac,
              WallTime now) {
  if (!is_signed(message)) {
    return failure(
        fmt::format("its answer ({}) is not signed; give it the TSIG key {}, and let nothing between us and "
                    "it change messages",
                    rcode_text(message.rcode), name_text(key.name)));
  }
  const Record& record = message.additional.back();
  const Result<Signature> signature = read_signature(bytes, record);
  if (!signature) return std::unexpected(signature.error());
  const int64_t seconds = to_seconds(now);
  // These are not signed, since it could not (RFC 8945 5.2.1, 5.2.2). Whoever makes them up only makes us fail.
  if (signature->error == kBadKey || signature->error == kBadSig) return refusal(key, *signature, seconds);

  if (record.name != key.name || signature->algorithm != algorithm_name(key)) {
    return failure(fmt::format("its answer is signed with another key than {}", name_text(key.name)));
  }
  // RFC 8945 4.3.1 and 4.3.2: the message as it was before the record was added.
  std::string original(as_text(bytes.first(record.begin)));
  set_u16(original, 0, signature->original_id);
  set_u16(original, 10, read_u16(bytes, 10) - 1U);
  std::string prefix;
  append_u16(prefix, static_cast<uint16_t>(request_mac.size()));
  prefix += request_mac;
  const Result<std::string> mac = hmac(key, {prefix, original, tsig_variables(key, *signature)});
  if (!mac) return std::unexpected(mac.error());
  if (!are_equal(*mac, signature->mac)) {
    return failure(
        fmt::format("its answer has a wrong signature; its TSIG key {} must have this secret, and sign with "
                    "the whole of a MAC",
                    name_text(key.name)));
  }
  if (std::abs(seconds - signature->time) > signature->fudge) {
    return failure(
        fmt::format("its answer is from another time, {} s away; set the clocks", std::abs(seconds - signature->time)));
  }
  return refusal(key, *signature, seconds);
}

}  // namespace sluice::dns
