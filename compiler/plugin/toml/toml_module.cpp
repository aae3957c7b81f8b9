// TOML for the rooms in C: toml++ behind one function.
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <charconv>
#include <cstdio>
#include <string>

#include "plugin/toml_reader.h"

namespace {

int line_of(const toml::node &node) {
    return static_cast<int>(node.source().begin.line);
}

// The shortest text that reads back as the same double.
std::string number_text(double x) {
    char text[64];
    auto end = std::to_chars(text, text + sizeof text, x).ptr;
    return std::string(text, end);
}

// false: it has none (dates and times).
bool value_text(const toml::node &node, std::string &out) {
    if (const auto *s = node.as_string())
        out = s->get();
    else if (const auto *i = node.as_integer())
        out = std::to_string(i->get());
    else if (const auto *f = node.as_floating_point())
        out = number_text(f->get());
    else if (const auto *b = node.as_boolean())
        out = b->get() ? "true" : "false";
    else
        return false;
    return true;
}

struct Walk {
    const toml_visitor &v;
    char *why;
    size_t why_bytes;
    int *line;

    int fail(int at, const char *what) {
        std::snprintf(why, why_bytes, "%s", what);
        *line = at;
        return -1;
    }

    int node(const char *key, const toml::node &n) {
        std::string text;
        if (const auto *table = n.as_table())
            return container(key, n, 0, [&] { return members(*table); });
        if (const auto *array = n.as_array())
            return container(key, n, 1, [&] { return items(*array); });
        if (!value_text(n, text))
            return fail(line_of(n), "dates and times mean nothing here");
        if (text.find('\0') != std::string::npos)
            return fail(line_of(n), "a text holds a zero byte");
        return v.value(v.ctx, key, text.c_str(), line_of(n));
    }

    template <typename Inside> int container(const char *key, const toml::node &n, int is_array, Inside inside) {
        int code = v.open(v.ctx, key, is_array, line_of(n));
        if (code == 0)
            code = inside();
        return code == 0 ? v.close(v.ctx) : code;
    }

    int members(const toml::table &table) {
        for (const auto &[key, n] : table)
            if (int code = node(std::string(key.str()).c_str(), n))
                return code;
        return 0;
    }

    int items(const toml::array &array) {
        for (const auto &n : array)
            if (int code = node(nullptr, n))
                return code;
        return 0;
    }
};

int read_text(const char *text, size_t n, const toml_visitor *visitor, char *why, size_t why_bytes, int *line) {
    Walk walk{*visitor, why, why_bytes, line};
    toml::parse_result parsed = toml::parse(std::string_view(text, n));
    if (!parsed)
        return walk.fail(static_cast<int>(parsed.error().source().begin.line), std::string(parsed.error().description()).c_str());
    return walk.members(parsed.table());
}

const toml_reader reader = {TOML_READER_VERSION, read_text};

} // namespace

extern "C" __attribute__((visibility("default"))) const toml_reader *tenon_toml_query(uint32_t version) {
    return version == TOML_READER_VERSION ? &reader : nullptr;
}
