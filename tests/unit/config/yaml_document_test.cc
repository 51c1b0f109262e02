#include "config/yaml_document.h"

#include "base/limits.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace sluice::config {
namespace {

struct Parsed {
  SourceText source;
  Diagnostics diagnostics;
  NodeBudget budget{limits::config_nodes_max};
  ParsedFile file;

  explicit Parsed(std::string text)
      : source{"test.yaml", std::move(text)}, file(parse_yaml(source, budget, diagnostics)) {}

  [[nodiscard]] std::string said() const {
    std::string result;
    for (const Diagnostic& diagnostic : diagnostics.sorted()) result += diagnostic.to_string() + "\n";
    return result;
  }
};

// The structure of a tree in one line: plain texts as they are, others in quotes.
std::string flat(const Node& node) {
  std::string result;
  switch (node.kind) {
    case Node::Kind::scalar: return fmt::format("{0}{1}{0}", node.is_plain ? "" : "'", node.text.view());
    case Node::Kind::list:
      for (const Node& item : node.items) result += (result.empty() ? "" : ",") + flat(item);
      return "[" + result + "]";
    case Node::Kind::mapping:
      for (size_t i = 0; i < node.items.size(); ++i)
        result += fmt::format("{}{}:{}", result.empty() ? "" : ",", node.keys[i].text.view(), flat(node.items[i]));
      return "{" + result + "}";
  }
  return result;
}

std::string flat(const Parsed& parsed) {
  std::string result;
  for (const Node& document : parsed.file.documents) result += (result.empty() ? "" : " ") + flat(document);
  return result + parsed.said();
}

TEST(YamlDocument, ReadsBlockFlowQuotedAndLiteralValues) {
  EXPECT_EQ(flat(Parsed("a: 1\nb: [x, 'y', \"z\\n\"]\nc: {d: , e: ~}\nf: |\n  g\n  h\n")),
            "{a:1,b:[x,'y','z\n'],c:{d:,e:~},f:'g\nh\n'}");
}

// A large configuration has a million of them.
TEST(YamlDocument, TextsAreAPartOfTheSourceWhereTheyAreWrittenAsTheyAreMeant) {
  const Parsed parsed("key: plain text\nquoted: 'it is'\nescaped: \"a\\tb\"\nblock: |\n  c\n  d\n");
  const std::string& source = parsed.source.text;
  const auto is_part = [&](const NodeText& text) {
    return text.view().data() >= source.data() && text.view().data() < source.data() + source.size();
  };
  const Node& document = parsed.file.documents.at(0);
  for (const Node::Key& key : document.keys) EXPECT_TRUE(is_part(key.text)) << key.text.view();
  EXPECT_TRUE(is_part(document.find("key")->text));
  EXPECT_TRUE(is_part(document.find("quoted")->text));
  EXPECT_FALSE(is_part(document.find("escaped")->text));
  EXPECT_FALSE(is_part(document.find("block")->text));
  EXPECT_EQ(document.find("escaped")->text, "a\tb");
}

TEST(NodeText, ACopyHasMemoryOfItsOwnExactlyWhenTheOriginalHas) {
  std::string text = "text";
  const NodeText part = NodeText::part_of(text);
  const NodeText own = NodeText::copy_of(text);
  const NodeText part_again = part;
  const NodeText own_again = own;
  EXPECT_NE(own.view().data(), own_again.view().data());
  text = "Text";
  EXPECT_EQ(part_again, "Text");
  EXPECT_EQ(own_again, "text");
}

TEST(YamlDocument, ReadsJson) {
  EXPECT_EQ(flat(Parsed("{\n\t\"a\": [1, true, null, \"\\u0041\\/\\ud83d\\ude00\"]\n}\n")), "{a:[1,true,null,'A/😀']}");
}

TEST(YamlDocument, SkipsEmptyDocuments) {
  EXPECT_EQ(flat(Parsed("")), "");
  EXPECT_EQ(flat(Parsed("\n# only a comment\n")), "");
  EXPECT_EQ(flat(Parsed("---\n---\n# nothing\n---\na: 1\n---\n...\n---\nb: 2\n...\n")), "{a:1} {b:2}");
  EXPECT_EQ(flat(Parsed("null\n---\n~\n")), "");
}

TEST(YamlDocument, ReadsWindowsLineEndsAndAByteOrderMark) {
  EXPECT_EQ(flat(Parsed("\xef\xbb\xbf---\r\na: b\r\nc:\r\n- 1\r\n- 2\r\n")), "{a:b,c:[1,2]}");
}

TEST(YamlDocument, RemembersWhereEverythingIs) {
  const Parsed parsed("# comment\na:\n  bc: [x, {d: y}]\n  e:\n");
  ASSERT_EQ(parsed.file.documents.size(), 1u);
  const Node& a = *parsed.file.documents[0].find("a");
  const Node& bc = *a.find("bc");
  EXPECT_EQ(a.place_of_key(0).to_string(), "test.yaml:3:3");
  EXPECT_EQ(bc.place().to_string(), "test.yaml:3:7");
  EXPECT_EQ(bc.items[1].find("d")->place().to_string(), "test.yaml:3:15");
  EXPECT_EQ(a.find("e")->place().to_string(), "test.yaml:4:3") << "a value that is not written is where its key is";
  EXPECT_EQ(a.find("f"), nullptr);
  EXPECT_TRUE(a.has("bc"));
  EXPECT_FALSE(a.has("e"));
}

TEST(YamlDocument, TellsNullsFromTexts) {
  const Parsed parsed("- \n- ~\n- null\n- 'null'\n- !!str null\n- ''\n- nul\n");
  std::string nulls;
  for (const Node& item : parsed.file.documents.at(0).items) nulls += item.is_null() ? "n" : ".";
  EXPECT_EQ(nulls, "nnn....");
}

TEST(YamlDocument, ExpandsAliasesAndMergesMappings) {
  EXPECT_EQ(flat(Parsed("a: &x {b: 1, c: 2}\nd: *x\n")), "{a:{b:1,c:2},d:{b:1,c:2}}");
  EXPECT_EQ(flat(Parsed("a: &x {b: 1, c: 2}\nd: {<<: *x, c: 3, e: 4}\n")), "{a:{b:1,c:2},d:{c:3,e:4,b:1}}");
  EXPECT_EQ(flat(Parsed("<<: [{a: 1, b: 1}, {b: 2, c: 2}]\n")), "{a:1,b:1,c:2}");
  EXPECT_EQ(flat(Parsed("a: &x 1\nb: &x 2\nc: *x\n")), "{a:1,b:2,c:2}");
}

TEST(YamlDocument, RefusesBytesThatAreNotText) {
  EXPECT_EQ(flat(Parsed(std::string("a: b\nc: \0d\n", 11))), "test.yaml:2:4: error: invalid YAML: a NUL byte\n");
  EXPECT_EQ(flat(Parsed("a: \xff\n")), "test.yaml:1:4: error: invalid YAML: bytes that are not UTF-8\n");
  EXPECT_EQ(flat(Parsed("a: b\n\x1b[2J")), "test.yaml:2:1: error: invalid YAML: a control character\n");
  EXPECT_EQ(flat(Parsed(std::string("\xff\xfe"
                                    "a\0:\0",
                                    6))),
            "test.yaml:1:1: error: invalid YAML: bytes that are not UTF-8\n");
}

// The fuzzer found that the parser reads the first one as two other texts and leaks memory for the second.
TEST(YamlDocument, RefusesSeveralQuotesInARowInSingleQuotes) {
  const std::string expected = "a text in single quotes has several quotes in a row: write it in double quotes\n";
  EXPECT_EQ(flat(Parsed("a: 'it''''s'\n")), "test.yaml:1:4: error: " + expected);
  EXPECT_EQ(flat(Parsed("'" + std::string(40, '\'') + "': b\n")), "test.yaml:1:1: error: " + expected);
  EXPECT_EQ(flat(Parsed("\xef\xbb\xbf'ü': 'it''''s'\n")), "test.yaml:1:6: error: " + expected);
  EXPECT_EQ(flat(Parsed("[ 'it''s ''it''', '''', '', \"''''\"]\n")), "['it's 'it'',''','','''''']");
}

// A comparison with another parser found that this one makes a NUL of it.
TEST(YamlDocument, ReadsABlockWithoutLinesAsEmpty) {
  EXPECT_EQ(flat(Parsed("a: |\n")), "{a:''}");
  EXPECT_EQ(flat(Parsed("a: >-\nb: |\nc: d\n")), "{a:'',b:'',c:d}");
}

TEST(YamlDocument, RefusesAFoldedBlockThatTheParserMisreads) {
  EXPECT_EQ(
      flat(Parsed("a: >\n  b\n\n   c\n")),
      "test.yaml:2:1: error: a folded text (>) has a blank line before an indented one: write it in double quotes\n");
  EXPECT_EQ(flat(Parsed("a: >\n  b\n  c\n\n  d\n   e\n")), "{a:'b c\nd\n e\n'}");
}

TEST(YamlDocument, RefusesDeepNesting) {
  const std::string expected = "nested deeper than 64 levels\n";
  EXPECT_TRUE(flat(Parsed(std::string(100'000, '['))).ends_with(expected));
  EXPECT_TRUE(flat(Parsed("- " + std::string(50'000, '-'))).find("deeper") == std::string::npos) << "a text of hyphens";
  std::string lists;
  for (int i = 0; i < 20'000; ++i) lists += "- ";
  EXPECT_TRUE(flat(Parsed(lists)).ends_with(expected));
  std::string mappings;
  for (size_t i = 0; i < 200; ++i) mappings += std::string(i, ' ') + "a:\n";
  EXPECT_TRUE(flat(Parsed(mappings)).ends_with(expected));
  EXPECT_EQ(flat(Parsed(std::string(64, '[') + "a" + std::string(64, ']'))),
            std::string(64, '[') + "a" + std::string(64, ']'));
}

TEST(YamlDocument, RefusesDepthThatAliasesAddUp) {
  std::string text;
  for (int i = 0; i < 10; ++i) {
    const std::string inner = i == 0 ? "x" : "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " " + std::string(8, '[') + inner +
            std::string(8, ']') + "\n";
  }
  EXPECT_EQ(flat(Parsed(text)), "test.yaml:8:18: error: nested deeper than 64 levels\n");
}

TEST(YamlDocument, RefusesBillionLaughs) {
  std::string text = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string previous = "*a" + std::to_string(i - 1);
    text += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + previous;
    for (int j = 0; j < 9; ++j) text += ", " + previous;
    text += "]\n";
  }
  const Parsed parsed(text);
  EXPECT_TRUE(parsed.said().ends_with("the anchors and aliases of this file expand to more than 100000 values\n"))
      << parsed.said();
  EXPECT_FALSE(parsed.file.is_complete);
}

TEST(YamlDocument, RefusesDuplicateKeysAlsoInLargeMappings) {
  std::string text;
  for (int i = 0; i < 50'000; ++i) text += "key" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(Parsed(text).said(), "");
  EXPECT_EQ(Parsed(text + "'key17': 2\n").said(),
            "test.yaml:50001:1: error: the key \"key17\" is there twice; first in line 18\n");
}

TEST(YamlDocument, CountsNodesOfAllDocuments) {
  const SourceText source{"test.yaml", "[a, b, c]\n---\n[d]\n"};
  Diagnostics diagnostics;
  NodeBudget enough(6);
  EXPECT_TRUE(parse_yaml(source, enough, diagnostics).is_complete);
  EXPECT_EQ(enough.left(), 0u);
  NodeBudget little(5);
  EXPECT_FALSE(parse_yaml(source, little, diagnostics).is_complete);
}

TEST(YamlDocument, KeepsTheDocumentsBeforeASyntaxError) {
  const Parsed parsed("a: 1\n---\nb: [\n---\nc: 3\n");
  EXPECT_FALSE(parsed.file.is_complete);
  ASSERT_EQ(parsed.file.documents.size(), 1u);
  EXPECT_EQ(flat(parsed.file.documents[0]), "{a:1}");
  EXPECT_EQ(parsed.diagnostics.error_count(), 1u);
}

}  // namespace
}  // namespace sluice::config
