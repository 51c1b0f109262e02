#include "http/http1_writer.h"

#include "base/check.h"

#include <charconv>
#include <cstring>

namespace sluice::http {

namespace {

constexpr std::string_view version = "HTTP/1.1";
constexpr std::string_view line_end = "\r\n";
constexpr size_t digits_max = 20;  // of a 64-bit number

// Fills memory that was reserved with enough room.
class Cursor {
 public:
  explicit Cursor(MutableBytes room) noexcept
      : begin_(reinterpret_cast<char*>(room.data())), at_(begin_), end_(begin_ + room.size()) {}

  void put(std::string_view text) noexcept {
    DCHECK(text.size() <= static_cast<size_t>(end_ - at_));
    if (!text.empty()) std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void put(char c) noexcept { *at_++ = c; }
  void put_number(uint64_t number, int base = 10) noexcept { at_ = std::to_chars(at_, end_, number, base).ptr; }

  void put_field(std::string_view name, std::string_view value) noexcept {
    put(name);
    put(": ");
    put(value);
    put(line_end);
  }

  [[nodiscard]] size_t size() const noexcept { return static_cast<size_t>(at_ - begin_); }

 private:
  char* begin_;
  char* at_;
  char* end_;
};

size_t size_of(const HeaderList& headers) noexcept {
  size_t size = 0;
  for (const auto& [name, value] : headers) size += name.size() + value.size() + 4;
  return size;
}

// Room for the fields that put_framing adds.
size_t size_of(const MessageFraming& framing) noexcept {
  return std::string_view("connection: keep-alive\r\nupgrade: \r\ncontent-length: \r\ntransfer-encoding: chunked\r\n")
             .size() +
         digits_max + framing.upgrade.size();
}

void put_framing(Cursor& cursor, const MessageFraming& framing) noexcept {
  if (framing.body == BodyFraming::chunked) {
    cursor.put("transfer-encoding: chunked\r\n");
  } else if (framing.has_content_length_field()) {
    cursor.put("content-length: ");
    cursor.put_number(framing.content_length);
    cursor.put(line_end);
  }
  if (!framing.upgrade.empty()) {
    cursor.put("connection: upgrade\r\n");
    cursor.put_field("upgrade", framing.upgrade);
  } else if (framing.close) {
    cursor.put("connection: close\r\n");
  } else if (framing.keep_alive) {
    cursor.put("connection: keep-alive\r\n");
  }
}

void put_fields(Cursor& cursor, const HeaderList& headers) noexcept {
  for (const auto& [name, value] : headers) cursor.put_field(name, value);
}

}  // namespace

void write_request_head(ByteSink sink, std::string_view method, std::string_view target, const HeaderList& headers,
                        const MessageFraming& framing) {
  Cursor cursor(sink.reserve(sink.owner,
                             method.size() + target.size() + version.size() + 6 + size_of(headers) + size_of(framing)));
  cursor.put(method);
  cursor.put(' ');
  cursor.put(target);
  cursor.put(' ');
  cursor.put(version);
  cursor.put(line_end);
  put_fields(cursor, headers);
  put_framing(cursor, framing);
  cursor.put(line_end);
  sink.commit(sink.owner, cursor.size());
}

void write_response_head(ByteSink sink, uint16_t status, std::string_view reason, const HeaderList& headers,
                         const MessageFraming& framing) {
  if (reason.empty()) reason = reason_phrase(status);
  Cursor cursor(
      sink.reserve(sink.owner, version.size() + digits_max + reason.size() + 6 + size_of(headers) + size_of(framing)));
  cursor.put(version);
  cursor.put(' ');
  cursor.put_number(status);
  cursor.put(' ');
  cursor.put(reason);
  cursor.put(line_end);
  put_fields(cursor, headers);
  put_framing(cursor, framing);
  cursor.put(line_end);
  sink.commit(sink.owner, cursor.size());
}

void write_chunk(ByteSink sink, ConstBytes content) {
  CHECK(!content.empty());
  Cursor cursor(sink.reserve(sink.owner, digits_max + line_end.size()));
  cursor.put_number(content.size(), 16);
  cursor.put(line_end);
  sink.commit(sink.owner, cursor.size());
  sink.append(content);
  sink.append(as_bytes(line_end));
}

void write_last_chunk(ByteSink sink, const HeaderList* trailers) {
  Cursor cursor(sink.reserve(sink.owner, 5 + (trailers == nullptr ? 0 : size_of(*trailers))));
  cursor.put("0\r\n");
  if (trailers != nullptr) put_fields(cursor, *trailers);
  cursor.put(line_end);
  sink.commit(sink.owner, cursor.size());
}

std::string_view reason_phrase(uint16_t status) noexcept {
  switch (status) {
    case 100: return "Continue";
    case 101: return "Switching Protocols";
    case 102: return "Processing";
    case 103: return "Early Hints";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 203: return "Non-Authoritative Information";
    case 204: return "No Content";
    case 205: return "Reset Content";
    case 206: return "Partial Content";
    case 207: return "Multi-Status";
    case 208: return "Already Reported";
    case 226: return "IM Used";
    case 300: return "Multiple Choices";
    case 301: return "Moved Permanently";
    case 302: return "Found";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 305: return "Use Proxy";
    case 307: return "Temporary Redirect";
    case 308: return "Permanent Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 402: return "Payment Required";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 407: return "Proxy Authentication Required";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 423: return "Locked";
    case 424: return "Failed Dependency";
    case 425: return "Too Early";
    case 426: return "Upgrade Required";
    case 428: return "Precondition Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 451: return "Unavailable For Legal Reasons";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 505: return "HTTP Version Not Supported";
    case 506: return "Variant Also Negotiates";
    case 507: return "Insufficient Storage";
    case 508: return "Loop Detected";
    case 511: return "Network Authentication Required";
    default: return "Unknown";
  }
}

}  // namespace sluice::http
