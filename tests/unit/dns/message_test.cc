#include "dns/message.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace sluice::dns {
namespace {

using namespace std::string_literals;

// The header of an answer with so many answers; no question.
std::string answer_header(uint16_t answers) {
  std::string bytes = "\x12\x34\x81\x80\0\0"s;
  append_u16(bytes, answers);
  return bytes + "\0\0\0\0"s;
}

std::string record(std::string_view name, uint16_t type, std::string_view data) {
  std::string bytes(name);
  append_u16(bytes, type);
  append_u16(bytes, kClassIn);
  append_u32(bytes, 60);
  append_u16(bytes, static_cast<uint16_t>(data.size()));
  return bytes += data;
}

std::string fault_of(std::string_view bytes) {
  const Result<Message> message = read_message(as_bytes(bytes));
  return message ? "" : message.error().message;
}

TEST(Message, NamesAreLowerCaseWireFormWithinTheirBounds) {
  EXPECT_EQ(to_wire_name("WWW.example.com").value(), "\3www\7example\3com\0"s);
  EXPECT_EQ(to_wire_name("www.example.com.").value(), "\3www\7example\3com\0"s);
  EXPECT_EQ(name_text("\3www\7example\3com\0"s), "www.example.com.");
  EXPECT_EQ(name_text("\3w.\n\0"s), "w??.") << "what the network says is made printable";
  EXPECT_EQ(parent_name("\3www\3com\0"s), "\3com\0"s);
  EXPECT_EQ(parent_name("\0"s), "\0"s);

  const std::string label(63, 'a');
  EXPECT_TRUE(to_wire_name(label + "." + label + "." + label + "." + std::string(61, 'a')));
  EXPECT_FALSE(to_wire_name(label + "." + label + "." + label + "." + std::string(62, 'a')));
  for (const std::string& text : {""s, "."s, "a..b"s, ".a"s, "a b"s, "a\\046b"s, "a\0b"s, "\xc3\xbc"s, label + "a"}) {
    EXPECT_FALSE(to_wire_name(text)) << text;
  }
}

TEST(Message, AnUpdateThatAddsIsAsRfc2136SaysIt) {
  const std::string zone = to_wire_name("example.com").value();
  const std::string name = to_wire_name("_acme-challenge.example.com").value();
  EXPECT_EQ(write_txt_update(0x1234, zone, Change::add, name, "abc"),
            "\x12\x34\x28\0\0\1\0\0\0\1\0\0"
            "\7example\3com\0\0\6\0\1"
            "\x0f_acme-challenge\7example\3com\0\0\x10\0\1\0\0\0\x3c\0\4\3abc"s);
}

TEST(Message, AnUpdateThatRemovesNamesExactlyOneRecord) {
  const std::string name = to_wire_name("a.b").value();
  EXPECT_EQ(write_txt_update(1, to_wire_name("b").value(), Change::remove, name, "abc"),
            "\0\1\x28\0\0\1\0\0\0\1\0\0"
            "\1b\0\0\6\0\1"
            "\1a\1b\0\0\x10\0\xfe\0\0\0\0\0\4\3abc"s);
}

TEST(Message, AnAnswerIsReadWithItsCompressedNamesAndTexts) {
  std::string bytes = "\x12\x34\x85\x83\0\1\0\2\0\1\0\0"s;
  bytes += "\3WWW\7example\3com\0\0\x10\0\1"s;               // the question, at 12
  bytes += record("\xc0\x0c", kTypeCname, "\1t\xc0\x10");    // t.example.com
  bytes += record("\1t\xc0\x10", kTypeTxt, "\3abc\0\2de"s);  // two texts and an empty one
  bytes += record("\xc0\x10", kTypeSoa, "\0\0"s + std::string(20, 'x'));
  const Result<Message> message = read_message(as_bytes(bytes));
  ASSERT_TRUE(message) << message.error().message;
  EXPECT_EQ(message->id, 0x1234);
  EXPECT_TRUE(message->is_response);
  EXPECT_EQ(message->opcode, kOpcodeQuery);
  EXPECT_EQ(message->rcode, kNxDomain);
  ASSERT_EQ(message->answers.size(), 2U);
  EXPECT_EQ(message->answers[0].name, to_wire_name("www.example.com").value());
  size_t at = message->answers[0].data_begin;
  EXPECT_EQ(read_name(as_bytes(bytes), at, bytes.size()).value(), to_wire_name("t.example.com").value());
  EXPECT_EQ(at, message->answers[0].data_begin + message->answers[0].data_size);
  EXPECT_EQ(read_txt(as_bytes(bytes), message->answers[1]).value(), "abcde");
  EXPECT_EQ(message->authority.at(0).name, to_wire_name("example.com").value());
}

TEST(Message, PointersThatLeadInCirclesOrForwardsAreRefused) {
  const std::string_view fault = "a name has a pointer that does not lead backwards";
  EXPECT_EQ(fault_of(answer_header(1) + record("\xc0\x0c", kTypeTxt, "")), fault) << "to itself";
  EXPECT_EQ(fault_of(answer_header(1) + record("\1a\xc0\x0c", kTypeTxt, "")), fault) << "to the start of itself";
  EXPECT_EQ(fault_of(answer_header(1) + record("\xc0\x20", kTypeTxt, "")), fault) << "forwards";
  EXPECT_EQ(fault_of(answer_header(1) + record("\xff\xff", kTypeTxt, "")), fault) << "to the end of all";
  // The first record's data is a name that leads to the second's, which leads back to it.
  EXPECT_EQ(fault_of(answer_header(2) + record("\1a\0"s, kTypeTxt, "\xc0\x1c\0"s) + record("\xc0\x19", kTypeTxt, "")),
            fault);
}

TEST(Message, ALongChainOfPointersEnds) {
  std::string chain = "\0\0"s;  // at 23, behind the first record's head
  for (unsigned at = 23; chain.size() < 600; at += 2) append_u16(chain, static_cast<uint16_t>(0xc000 | at));
  std::string bytes = answer_header(2) + record("\0"s, kTypeTxt, chain);
  const auto last = static_cast<uint16_t>(0xc000 | (bytes.size() - 2));
  std::string name;
  append_u16(name, last);
  EXPECT_EQ(fault_of(bytes + record(name, kTypeTxt, "")), "a name has too many pointers");
}

TEST(Message, NamesThatAreTooLongOrOfUnknownKindAreRefused) {
  std::string name;
  for (int i = 0; i < 4; ++i) name += '\x3f' + std::string(63, 'a');
  EXPECT_EQ(fault_of(answer_header(1) + record(name + '\0', kTypeTxt, "")), "a name is longer than 255 bytes");
  EXPECT_EQ(fault_of(answer_header(1) + record("\x40\0"s, kTypeTxt, "")), "a name has a label of an unknown kind");
  EXPECT_EQ(fault_of(answer_header(1) + record("\x80\0"s, kTypeTxt, "")), "a name has a label of an unknown kind");
}

TEST(Message, CountsAndLengthsThatPromiseMoreThanThereIsAreRefused) {
  EXPECT_EQ(fault_of(answer_header(0xffff)), "the message ends inside of a name");
  EXPECT_EQ(fault_of(answer_header(0) + "x"), "there are bytes behind the last record");
  const std::string whole = answer_header(1) + record("\1a\0"s, kTypeTxt, "\3abc");
  ASSERT_EQ(fault_of(whole), "");
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_NE(fault_of(whole.substr(0, size)), "") << size;

  const std::string bytes = answer_header(1) + record("\1a\0"s, kTypeTxt, "\4abc");
  const Result<Message> message = read_message(as_bytes(bytes));
  ASSERT_TRUE(message);
  EXPECT_FALSE(read_txt(as_bytes(bytes), message->answers[0]));
}

}  // namespace
}  // namespace sluice::dns
