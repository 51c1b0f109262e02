#include "sim/http2_offences.h"

#include "http2_ends.h"

#include <array>
#include <string_view>

namespace sluice::sim {

namespace {

using namespace std::string_view_literals;
using test::Frame;

constexpr uint32_t kIdleStream = 2001;

using Make = std::string (*)();
constexpr std::array<Make, 16> kOffences = {
    // Frames where there must be none (6.1, 6.2, 6.4, 6.6, 6.10, 5.1).
    [] { return test::frame(Frame::data, 0, 0, "content"); },
    [] { return test::frame(Frame::data, 0, kIdleStream, "content"); },
    [] { return test::headers_frame(kIdleStream + 1, test::get_fields()); },
    [] { return test::frame(Frame::rst_stream, 0, kIdleStream, test::big_endian(8, 4)); },
    [] { return test::frame(Frame::push_promise, test::end_headers, 1, test::big_endian(2, 4)); },
    [] { return test::frame(Frame::continuation, test::end_headers, 1); },
    [] { return test::frame(Frame::window_update, 0, kIdleStream, test::big_endian(1, 4)); },
    [] {  // within a header block
      return test::frame(Frame::headers, 0, kIdleStream, test::header_block(test::get_fields())) +
             test::frame(Frame::ping, 0, 0, "12345678");
    },
    // Of a wrong size (4.2, 6.5, 6.7).
    [] { return test::frame(Frame::settings, 0, 0, "short"); },
    [] { return test::frame(Frame::settings, test::ack, 0, test::setting(4, 1)); },
    [] { return test::frame(Frame::ping, 0, 0, "1234567"); },
    [] { return test::frame(Frame::data, 0, 1, std::string(16'385, 'd')); },
    // Values that there are not (6.5.2, 6.9, 6.9.1, RFC 7541 6.1).
    [] { return test::frame(Frame::settings, 0, 0, test::setting(4, 1U << 31)); },
    [] { return test::frame(Frame::window_update, 0, 0, test::big_endian(0, 4)); },
    [] { return test::frame(Frame::window_update, 0, 0, test::big_endian((1U << 31) - 1, 4)); },
    [] { return test::headers_frames(kIdleStream, "\x80"sv, test::end_stream); },
};

}  // namespace

size_t http2_offence_count() { return kOffences.size(); }
std::string http2_offence(size_t index) { return kOffences[index](); }

}  // namespace sluice::sim
