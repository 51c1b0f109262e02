// Reads the HTTP/1.1 that clients and upstreams of the simulation get to see. On purpose not src/http: the
// judge does not use what he judges. Strict, since all of it comes from sluice or was planned.
#pragma once

#include "base/bytes.h"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace sluice::sim {

class MessageReader {
 public:
  enum class Role : uint8_t { requests, responses };
  using ContentHandler = std::function<void(ConstBytes content)>;

  MessageReader(Role role, ContentHandler on_content) : role_(role), on_content_(std::move(on_content)) {}

  // The next message; `has_no_content`: the response to a HEAD.
  void begin(bool has_no_content = false);

  // Reads up to the end of the head, or of the message; returns how many bytes it took.
  [[nodiscard]] size_t read(ConstBytes bytes);
  // The sender has ended in order: a message that goes on until then is complete.
  void end_of_input();

  [[nodiscard]] bool has_begun() const noexcept {
    return phase_ != Phase::head || !line_.empty() || !start_line_.empty();
  }
  [[nodiscard]] bool has_head() const noexcept { return phase_ != Phase::head && phase_ != Phase::broken; }
  [[nodiscard]] bool is_complete() const noexcept { return phase_ == Phase::complete; }
  [[nodiscard]] bool is_broken() const noexcept { return phase_ == Phase::broken; }
  [[nodiscard]] bool is_until_close() const noexcept { return phase_ == Phase::until_close; }
  [[nodiscard]] const std::string& error() const noexcept { return error_; }

  // --- of the head, once it is there ---
  [[nodiscard]] std::string_view method() const {
    return std::string_view(start_line_).substr(0, start_line_.find(' '));
  }
  [[nodiscard]] std::string_view target() const;
  [[nodiscard]] unsigned status() const { return status_; }
  [[nodiscard]] const std::string* field(const std::string& lower_name) const;
  [[nodiscard]] bool says_close() const;

 private:
  enum class Phase : uint8_t { head, counted, chunk_size, chunk, chunk_end, trailers, until_close, complete, broken };

  [[nodiscard]] size_t read_line(ConstBytes bytes);
  [[nodiscard]] size_t read_content(ConstBytes bytes, Phase next);
  void on_line(std::string_view line);
  void on_head();
  void break_with(std::string error);

  Role role_;
  ContentHandler on_content_;
  Phase phase_ = Phase::head;
  bool has_no_content_ = false;
  std::string line_;  // what has arrived of it
  std::string start_line_;
  std::map<std::string, std::string> fields_;
  unsigned status_ = 0;
  uint64_t rest_ = 0;
  std::string error_;
};

}  // namespace sluice::sim
