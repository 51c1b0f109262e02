#include "dns/tsig.h"

#include <gtest/gtest.h>

#include <cctype>
#include <chrono>
#include <string>
#include <string_view>

namespace sluice::dns {
namespace {

using namespace std::chrono_literals;

// The messages were made by dnspython 2.3: an UPDATE with the ID 0x1234 that adds a TXT record to example.com, signed
// with the key "acme-key." at 1700000000, and answers to it, a second later where nothing else is said.
constexpr std::string_view kSecret = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
constexpr WallTime kTime{1700000000s};
constexpr std::string_view kUnsigned =
    "123428000001000000010000076578616d706c6503636f6d00000600010f5f61636d652d6368616c6c656e676503777777c00c001000010000"
    "003c00080776616c75652d31";

std::string from_hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

TsigKey key_of(std::string_view algorithm = "HMACSHA256", std::string_view name = "acme-key") {
  return read_tsig_key(name, algorithm, kSecret).value();
}

std::string mac_of_request(const TsigKey& key) {
  std::string message = from_hex(kUnsigned);
  return sign(message, key, kTime).value();
}

// "" when the answer is accepted.
std::string fault_of(std::string_view bytes, const TsigKey& key, WallTime now = kTime) {
  const Result<Message> message = read_message(as_bytes(bytes));
  if (!message) return "unreadable: " + message.error().message;
  const Status status = verify(as_bytes(bytes), *message, key, mac_of_request(key), now);
  return status ? "" : status.error().message;
}

constexpr std::string_view kGoodAnswer =
    "1234a8000001000000000001076578616d706c6503636f6d00000600010861636d652d6b65790000fa00ff00000000003d0b686d61632d7368"
    "613235360000006553f101012c00201f958d266149bf5fa937871e5250b4e720910b8b0b3dfec696cd75a407901160123400000000";

TEST(Tsig, SignsAndVerifiesAsAnotherToolWithEachAlgorithm) {
  struct Case {
    std::string_view algorithm;
    std::string_view signature;  // the record that is appended
    std::string_view answer;
  };
  for (const auto& [algorithm, signature, answer] :
       {Case{"HMACSHA1",
             "0861636d652d6b65790000fa00ff00000000002f09686d61632d736861310000006553f100012c001417d9625791b1ab32ba6e7a1"
             "f7e7c"
             "2c1ded946de5123400000000",
             "1234a8000001000000000001076578616d706c6503636f6d00000600010861636d652d6b65790000fa00ff00000000002f09686d6"
             "163"
             "2d736861310000006553f101012c001444dcd9cc9878ab61dc7c0a4f5bf0e2085b6b74ac123400000000"},
        {"HMACSHA256",
         "0861636d652d6b65790000fa00ff00000000003d0b686d61632d7368613235360000006553f100012c002060d2a859271c1952fba1716"
         "e43"
         "7f741a7443a646fa36d6df86280268e5a2908b123400000000",
         kGoodAnswer},
        {"HMACSHA384",
         "0861636d652d6b65790000fa00ff00000000004d0b686d61632d7368613338340000006553f100012c0030187aef3762b280e80c93605"
         "311"
         "0064be5960ed40bb77d1866aa0cc0e5a9a92f852c65566a965b235e2d3bc63de65868f123400000000",
         "1234a8000001000000000001076578616d706c6503636f6d00000600010861636d652d6b65790000fa00ff00000000004d0b686d61632"
         "d73"
         "68613338340000006553f101012c003030d7223c3efd7d3572bb60b98accd8fa42ebcc05269f07b43861fc390851e65b47910ce479399"
         "efd"
         "104fdf2029e7115f123400000000"},
        {"HMACSHA512",
         "0861636d652d6b65790000fa00ff00000000005d0b686d61632d7368613531320000006553f100012c00402e92a1c62a12d7877322bcf"
         "1c5"
         "e3677e536d4ba13bcf31f1a5f9c73eee4e05d2a997e09bcbb2fb4e4ffdc3e5501d320dfa64b0a1de15be81e14e81f2eebb26241234000"
         "000"
         "00",
         "1234a8000001000000000001076578616d706c6503636f6d00000600010861636d652d6b65790000fa00ff00000000005d0b686d61632"
         "d73"
         "68613531320000006553f101012c0040c39ca9c3196b17e21d1b34b81d37d45f0881d430983997b235e628263f69cc8976839b8b22a71"
         "037"
         "d0fb245bdd688d1b63d3e190a119f80a9a15fbba6758f3eb123400000000"}}) {
    const TsigKey key = key_of(algorithm);
    std::string message = from_hex(kUnsigned);
    std::string expected = message;
    expected[11] = 1;  // one additional record
    expected += from_hex(signature);
    ASSERT_TRUE(sign(message, key, kTime)) << algorithm;
    EXPECT_EQ(message, expected) << algorithm;
    EXPECT_EQ(fault_of(from_hex(answer), key), "") << algorithm;
  }
}

TEST(Tsig, RefusesAnAnswerOfWhichOneBitIsAnother) {
  const std::string good = from_hex(kGoodAnswer);
  ASSERT_EQ(fault_of(good, key_of()), "");
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string bytes = good;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ 1 << bit % 8);
    // A name is the same in upper case, the ID of the message is the caller's to look at, and the signature's copy
    // of it is the one that counts (RFC 8945 4.3.1); class and TTL of the record are as they must be.
    const bool is_case = bit % 8 == 5 && std::isalpha(static_cast<unsigned char>(good[bit / 8])) != 0;
    const size_t tsig_class = 12 + 17 + 10 + 2;
    const bool is_unread = bit / 8 < 2 || (bit / 8 >= tsig_class && bit / 8 < tsig_class + 6);
    if (is_case || is_unread) continue;
    EXPECT_NE(fault_of(bytes, key_of()), "") << "bit " << bit;
  }
}

TEST(Tsig, RefusesAnAnswerThatIsNotSignedOrByAnotherKeyOrForAnotherRequest) {
  std::string bare = from_hex(kGoodAnswer).substr(0, 29);
  bare[11] = 0;
  EXPECT_NE(fault_of(bare, key_of()).find("(NOERROR) is not signed"), std::string::npos);
  EXPECT_NE(fault_of(from_hex(kGoodAnswer), key_of("HMACSHA256", "other")).find("signed with another key"),
            std::string::npos);
  EXPECT_NE(fault_of(from_hex(kGoodAnswer), key_of("HMACSHA512")).find("signed with another key"), std::string::npos);
  EXPECT_NE(fault_of(from_hex(kGoodAnswer), read_tsig_key("acme-key", "", "c2VjcmV0").value()).find("wrong signature"),
            std::string::npos);
  const std::string bytes = from_hex(kGoodAnswer);
  const Status other_request =
      verify(as_bytes(bytes), read_message(as_bytes(bytes)).value(), key_of(), std::string(32, 'x'), kTime);
  ASSERT_FALSE(other_request);
  EXPECT_NE(other_request.error().message.find("wrong signature"), std::string::npos);
}

TEST(Tsig, RefusesAnAnswerOfAnotherTime) {
  EXPECT_EQ(fault_of(from_hex(kGoodAnswer), key_of(), kTime + 301s), "");
  EXPECT_NE(fault_of(from_hex(kGoodAnswer), key_of(), kTime + 302s).find("301 s away; set the clocks"),
            std::string::npos);
  EXPECT_NE(fault_of(from_hex(kGoodAnswer), key_of(), kTime - 300s).find("301 s away"), std::string::npos);
}

TEST(Tsig, SaysWhyAServerDoesNotAcceptASignature) {
  // Not signed, as RFC 8945 5.2.1 and 5.2.2 have it.
  const std::string without_mac =
      "1234a8090001000000000001076578616d706c6503636f6d00000600010861636d652d6b65790000fa00ff00000000001d0b686d61632d73"
      "68"
      "613235360000006553f100012c0000123400";
  EXPECT_NE(
      fault_of(from_hex(without_mac + "100000"), key_of()).find("another secret for the TSIG key acme-key. (BADSIG)"),
      std::string::npos);
  EXPECT_NE(
      fault_of(from_hex(without_mac + "110000"), key_of())
          .find("does not know the TSIG key acme-key. with the algorithm HMACSHA256, or not for this zone (BADKEY)"),
      std::string::npos);
  const std::string bad_time =
      "1234a8090001000000000001076578616d706c6503636f6d00000600010861636d652d6b65790000fa00ff0000000000430b686d61632d73"
      "68"
      "613235360000006553f100012c002068f2eb11da1631d909871ee628e0ab765f6f89b7fd57bccd56a9ead4342f5f3a123400120006000065"
      "53"
      "f4e8";
  EXPECT_NE(fault_of(from_hex(bad_time), key_of()).find("its clock is 1000 s ahead of ours (BADTIME)"),
            std::string::npos);
}

TEST(Tsig, AKeyIsReadAsDocumentsHaveItOrRefusedWithoutTellingTheSecret) {
  const TsigKey key = read_tsig_key("Acme-Key.", "", " MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n").value();
  EXPECT_EQ(key.name, to_wire_name("acme-key").value());
  EXPECT_EQ(key.algorithm, TsigAlgorithm::hmac_sha256);
  EXPECT_EQ(key.secret, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(read_tsig_key("k", "hmacsha512", kSecret).value().algorithm, TsigAlgorithm::hmac_sha512);

  const auto fault = [](std::string_view name, std::string_view algorithm, std::string_view secret) {
    const Result<TsigKey> read = read_tsig_key(name, algorithm, secret);
    return read ? std::string() : read.error().message;
  };
  EXPECT_NE(fault("k", "HMACMD5", kSecret).find("MD5 is not secure"), std::string::npos);
  EXPECT_NE(fault("k", "HMACSHA224", kSecret).find("write HMACSHA256"), std::string::npos);
  EXPECT_NE(fault("a..b", "", kSecret).find("a label is empty"), std::string::npos);
  for (const std::string_view secret : {"", "  ", "no-base64!", "QUJ", "QUJDRA==="}) {
    const std::string text = fault("k", "", secret);
    EXPECT_NE(text.find("no base64"), std::string::npos) << secret;
    EXPECT_TRUE(secret.size() < 3 || text.find(secret) == std::string::npos) << text;
  }
}

}  // namespace
}  // namespace sluice::dns
