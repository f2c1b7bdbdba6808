package company

import "strings"

// The names are ordinary ones of many places; whoever comes out of their combination is invented. Letters outside
// ASCII are meant: they must arrive unchanged.
var givenNames = strings.Fields(`
Anna Björn Chloé Dmitri Elif Fatima Giorgos Hanna Ingrid João Katarzyna Lars Mai Nils Olga Petra Quentin Rosa Søren
Tomás Ursula Vida Wei Ximena Yusuf Zoë Aaliyah Bohdan Carmen Darius Einar Freja Gábor Hye-jin Ikram Jürgen Kwame Lucía
Małgorzata Noor Oluwaseun Priya Rashid Siobhán Thảo Umut Václav Wanjiru Yuki Željko Amir Beatriz Chidi Dalia Emre
Françoise Goran Henrike Ilse Jamal Kirsi Leila Marek Nadia Otieno Paulína Ravi Sanna Tariq Uğur Viktoria Wiebke Xiu
Yara Zanele Adaeze Benoît Ciarán Dagny Eszter Fionn Ginevra Håkon Ines Jónas Keiko Łukasz Maëlle Nguyễn Örjan Pilar`)

var surnames = strings.Fields(`
Andersson Bakker Çelik Dubois Eriksen Fernández García Haddad Ivanova Jansen Kowalski Lindqvist Müller Nakamura Okafor
Papadopoulos Quiroga Rossi Schröder Takahashi Ueda Varga Weiß Xu Yılmaz Žukauskas Adeyemi Bergström Castillo Diallo
Engström Farah Grünwald Horváth Ibrahim Jørgensen Kamau Laaksonen Moreau Nowak O'Brien Petrović Quist Ramírez Sørensen
Tanaka Ulrich Virtanen Wójcik Yamamoto Zhang Abebe Björk Chukwu D'Angelo El-Sayed Fuentes Gunnarsdóttir Hansson Ito
Johansson Krüger López Mwangi Nguyen Olofsson Pham Reddy Sjöberg Tóth Usman Vasquez Wallin Xenakis Ye Zimmermann
Al-Masri Bianchi Chowdhury Dąbrowski Estévez Fröberg Göransson Håkansson Iyer Jóhannsson Kim Lefèvre Mbeki Nyström`)

var departments = []string{
	"Finance", "Sales", "Engineering", "Operations", "Human Resources", "Procurement", "Legal", "Marketing",
	"Customer Care", "Research",
}

var jobTitles = []string{
	"Controller", "Accountant", "Buyer", "Engineer", "Analyst", "Coordinator", "Specialist", "Team Lead", "Advisor",
	"Technician", "Product Owner", "Consultant",
}

var places = []string{
	"Göteborg", "Kraków", "Lisboa", "Nairobi", "Osaka", "Montréal", "São Paulo", "İzmir", "Tampere", "Leeds", "Hà Nội",
	"Graz",
}

var projects = []string{
	"Aurora", "Basalt", "Cedar", "Delta", "Ember", "Fjord", "Granite", "Harbour", "Iris", "Juniper", "Kestrel", "Lagoon",
}

// ascii spells a name the way that mail addresses do. Mail nicknames are plain ASCII in nearly every company.
func ascii(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-':
			b.WriteRune(r)
		default:
			b.WriteString(transliteration[r])
		}
	}
	return b.String()
}

var transliteration = func() map[rune]string {
	m := map[rune]string{'ß': "ss", 'ø': "o", 'ł': "l", 'đ': "d", 'ı': "i", 'æ': "ae", 'þ': "th"}
	for plain, accented := range map[string]string{
		"a": "áàâäãåąảă", "c": "çćč", "e": "éèêëęễ", "g": "ğ", "i": "íîïi", "n": "ñńň", "o": "óòôöõőộ", "s": "śšş",
		"u": "úùûüůű", "y": "ýÿ", "z": "źżž",
	} {
		for _, r := range accented {
			m[r] = plain
		}
	}
	return m
}()
