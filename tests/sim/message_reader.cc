#include "sim/message_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace sluice::sim {

namespace {

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

// The whole text as a number.
bool to_number(std::string_view text, int base, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty();
}

}  // namespace

void MessageReader::begin(bool has_no_content) {
  phase_ = Phase::head;
  has_no_content_ = has_no_content;
  line_.clear();
  start_line_.clear();
  fields_.clear();
  status_ = 0;
  rest_ = 0;
}

size_t MessageReader::read(ConstBytes bytes) {
  size_t taken = 0;
  const bool had_head = has_head();
  while (taken < bytes.size() && phase_ != Phase::complete && phase_ != Phase::broken && had_head == has_head()) {
    const ConstBytes rest = bytes.subspan(taken);
    switch (phase_) {
      case Phase::head:
      case Phase::chunk_size:
      case Phase::chunk_end:
      case Phase::trailers: taken += read_line(rest); break;
      case Phase::counted: taken += read_content(rest, Phase::complete); break;
      case Phase::chunk: taken += read_content(rest, Phase::chunk_end); break;
      case Phase::until_close:
        on_content_(rest);
        taken = bytes.size();
        break;
      case Phase::complete:
      case Phase::broken: break;
    }
  }
  return taken;
}

void MessageReader::end_of_input() {
  if (phase_ == Phase::until_close) phase_ = Phase::complete;
}

size_t MessageReader::read_content(ConstBytes bytes, Phase next) {
  const size_t count = static_cast<size_t>(std::min<uint64_t>(rest_, bytes.size()));
  on_content_(bytes.first(count));
  rest_ -= count;
  if (rest_ == 0) phase_ = next;
  return count;
}

size_t MessageReader::read_line(ConstBytes bytes) {
  const std::string_view text = as_text(bytes);
  const size_t end = text.find('\n');
  line_ += text.substr(0, end);
  if (line_.size() > 100'000) break_with("a line without end");
  if (end == std::string_view::npos) return bytes.size();
  if (!line_.ends_with('\r')) {
    break_with("a line that does not end with CR LF: " + line_);
  } else {
    const std::string line = std::exchange(line_, {});
    on_line(std::string_view(line).substr(0, line.size() - 1));
  }
  return end + 1;
}

void MessageReader::on_line(std::string_view line) {
  switch (phase_) {
    case Phase::head:
      if (start_line_.empty()) {
        start_line_ = line;
        if (line.empty()) break_with("an empty line instead of a message");
      } else if (line.empty()) {
        on_head();
      } else {
        const size_t colon = line.find(": ");
        if (colon == std::string_view::npos) return break_with("no header field: " + std::string(line));
        fields_[lower(line.substr(0, colon))] = line.substr(colon + 2);
      }
      break;
    case Phase::chunk_size:
      if (!to_number(line, 16, rest_)) return break_with("no chunk size: " + std::string(line));
      phase_ = rest_ == 0 ? Phase::trailers : Phase::chunk;
      break;
    case Phase::chunk_end:
      if (!line.empty()) return break_with("a chunk that is longer than it said");
      phase_ = Phase::chunk_size;
      break;
    case Phase::trailers:
      if (line.empty()) phase_ = Phase::complete;
      break;
    default: break_with("a line where none was expected");
  }
}

void MessageReader::on_head() {
  if (role_ == Role::responses) {
    uint64_t status = 0;
    if (!start_line_.starts_with("HTTP/1.1 ") || start_line_.size() < 13 ||
        !to_number(std::string_view(start_line_).substr(9, 3), 10, status)) {
      return break_with("no status line: " + start_line_);
    }
    status_ = static_cast<unsigned>(status);
  } else if (!start_line_.ends_with(" HTTP/1.1")) {
    return break_with("no request line: " + start_line_);
  }

  const std::string* length = field("content-length");
  const std::string* coding = field("transfer-encoding");
  if (length != nullptr && coding != nullptr) return break_with("both content-length and transfer-encoding");
  if (length != nullptr && !to_number(*length, 10, rest_)) return break_with("no content-length: " + *length);
  if (coding != nullptr && *coding != "chunked") return break_with("transfer-encoding: " + *coding);
  const bool is_response = role_ == Role::responses;
  if (has_no_content_ || (is_response && (status_ < 200 || status_ == 204 || status_ == 304))) {
    phase_ = Phase::complete;
  } else if (coding != nullptr) {
    phase_ = Phase::chunk_size;
  } else if (length != nullptr) {
    phase_ = rest_ == 0 ? Phase::complete : Phase::counted;
  } else {
    phase_ = is_response ? Phase::until_close : Phase::complete;
  }
}

void MessageReader::break_with(std::string error) {
  phase_ = Phase::broken;
  error_ = std::move(error);
}

std::string_view MessageReader::target() const {
  const std::string_view line = start_line_;
  const size_t begin = line.find(' ') + 1;
  return line.substr(begin, line.rfind(' ') - begin);
}

const std::string* MessageReader::field(const std::string& lower_name) const {
  const auto found = fields_.find(lower_name);
  return found == fields_.end() ? nullptr : &found->second;
}

bool MessageReader::says_close() const {
  const std::string* connection = field("connection");
  return connection != nullptr && *connection == "close";
}

}  // namespace sluice::sim
