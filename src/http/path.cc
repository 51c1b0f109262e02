#include "http/path.h"

#include "http/chars.h"

#include <algorithm>
#include <array>

namespace sluice::http {

namespace {

// What the fast scan stops at. A dot is special only behind a slash.
constexpr std::array<bool, 256> needs_work = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; ++c) table[c] = c <= 0x20 || c >= 0x7f;
  for (const char c : std::string_view("\"#%<>?\\^`{|}")) table[static_cast<unsigned char>(c)] = true;
  return table;
}();

bool is_normal(std::string_view path) noexcept {
  char previous = 0;
  for (const char c : path) {
    if (needs_work[static_cast<unsigned char>(c)] || (c == '.' && previous == '/')) return false;
    previous = c;
  }
  return true;
}

int hex_value(char c) noexcept {
  if (is_digit(c)) return c - '0';
  const char lower = to_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_slash(char c) noexcept { return c == '/' || c == '\\'; }

// How many characters at `at` stand for a dot: "." or "%2e".
size_t dot_size(std::string_view path, size_t at) noexcept {
  if (at < path.size() && path[at] == '.') return 1;
  const std::string_view encoded = path.substr(std::min(at, path.size()), 3);
  return encoded == "%2e" || encoded == "%2E" ? 3 : 0;
}

bool ends_segment(std::string_view path, size_t at) noexcept { return at == path.size() || is_slash(path[at]); }

// Writes the normal form; `out` has room for three times the path.
class Normalizer {
 public:
  Normalizer(std::string_view path, char* out) noexcept : path_(path), out_(out) {}

  bool run() noexcept {
    while (at_ < path_.size()) {
      const char c = path_[at_];
      if (const size_t dot = dot_size(path_, at_); dot > 0) {
        read_dot(dot);
      } else if (c == '%') {
        if (!read_encoded()) return false;
      } else if (c == '\\') {
        put('/');
        ++at_;
      } else {
        put_legal(c);
        ++at_;
      }
    }
    return true;
  }

  [[nodiscard]] std::string_view result() const noexcept { return {out_, size_}; }

 private:
  void put(char c) noexcept { out_[size_++] = c; }

  void put_legal(char c) noexcept {
    constexpr std::string_view digits = "0123456789ABCDEF";
    const auto value = static_cast<unsigned char>(c);
    if (!needs_work[value]) return put(c);
    put('%');
    put(digits[value >> 4]);
    put(digits[value & 15]);
  }

  // RFC 3986 5.2.4: "." goes with its slash, ".." takes the segment before it along.
  void read_dot(size_t dot) noexcept {
    const bool begins_segment = size_ > 0 && out_[size_ - 1] == '/';
    const size_t after = at_ + dot;
    const size_t second = dot_size(path_, after);
    if (begins_segment && ends_segment(path_, after)) {
      skip_segment(after);
    } else if (begins_segment && second > 0 && ends_segment(path_, after + second)) {
      if (size_ > 1) --size_;
      while (out_[size_ - 1] != '/') --size_;
      skip_segment(after + second);
    } else {
      put('.');
      at_ = after;
    }
  }

  void skip_segment(size_t end) noexcept { at_ = end == path_.size() ? end : end + 1; }

  bool read_encoded() noexcept {
    if (path_.size() - at_ < 3) return false;
    const int high = hex_value(path_[at_ + 1]);
    const int low = hex_value(path_[at_ + 2]);
    if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
    const auto decoded = static_cast<char>(high * 16 + low);
    if (is_unreserved(decoded)) {
      put(decoded);
    } else {
      for (size_t i = 0; i < 3; ++i) put(path_[at_ + i]);
    }
    at_ += 3;
    return true;
  }

  std::string_view path_;
  size_t at_ = 0;
  char* out_;
  size_t size_ = 0;
};

bool is_encoded_slash(std::string_view path, size_t at) noexcept {
  const std::string_view encoded = path.substr(at, 3);
  return encoded == "%2F" || encoded == "%2f" || encoded == "%5C" || encoded == "%5c";
}

bool has_encoded_slash(std::string_view path) noexcept {
  for (size_t at = path.find('%'); at != std::string_view::npos; at = path.find('%', at + 1)) {
    if (is_encoded_slash(path, at)) return true;
  }
  return false;
}

// False: the arena is full.
bool decode_slashes(std::string_view& path, Arena& arena) noexcept {
  if (!has_encoded_slash(path)) return true;
  auto* out = static_cast<char*>(arena.allocate(path.size(), 1));
  if (out == nullptr) return false;
  size_t size = 0;
  for (size_t at = 0; at < path.size();) {
    const bool is_slash_here = is_encoded_slash(path, at);
    out[size++] = is_slash_here ? '/' : path[at];
    at += is_slash_here ? 3 : 1;
  }
  path = {out, size};
  return true;
}

bool merge_slashes(std::string_view& path, Arena& arena) noexcept {
  if (!path.contains("//")) return true;
  auto* out = static_cast<char*>(arena.allocate(path.size(), 1));
  if (out == nullptr) return false;
  const auto end = std::ranges::unique_copy(path, out, [](char a, char b) { return a == '/' && b == '/'; }).out;
  path = {out, static_cast<size_t>(end - out)};
  return true;
}

PathResult normalize_base(std::string_view& path, Arena& arena) noexcept {
  if (is_normal(path)) return PathResult::ok;
  auto* out = static_cast<char*>(arena.allocate(3 * path.size(), 1));
  if (out == nullptr) return PathResult::too_large;
  Normalizer normalizer(path, out);
  if (!normalizer.run()) return PathResult::bad;
  path = normalizer.result();
  return PathResult::ok;
}

}  // namespace

PathResult normalize_path(std::string_view& path, Arena& arena, PathNormalization normalization) noexcept {
  if (!path.starts_with('/')) return PathResult::bad;
  if (normalization == PathNormalization::none) return PathResult::ok;
  const bool decodes = normalization == PathNormalization::decode_and_merge_slashes;
  const bool merges = decodes || normalization == PathNormalization::merge_slashes;
  if (decodes && !decode_slashes(path, arena)) return PathResult::too_large;
  if (const PathResult result = normalize_base(path, arena); result != PathResult::ok) return result;
  return !merges || merge_slashes(path, arena) ? PathResult::ok : PathResult::too_large;
}

}  // namespace sluice::http
